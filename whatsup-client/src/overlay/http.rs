//! [`Http`]: the overlay by one or more super-nodes' JSON doors, the next when one fails.
//!
//! ```text
//! asks ─► batches under the door's bounds ─► nodes: whom to ask, and whom then ─► exchange: one request
//!           ▲   what a reply had no room for, and the next pages, are asked again ─┘
//! ```
//!
//! What comes back is hostile until it is parsed. A write that may have been done already is sent again: to
//! write the same twice is to write it once.

mod exchange;
mod nodes;
mod pages;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::{Answer, Ask, BATCH_MAX, Changed, Overlay, OverlayError, WATCHED_MAX, Watched};
use crate::door::{self, Answers, BATCH_BODY_MAX, Changes, WATCH_MAX_S, Watch, WatchedKey};
use crate::node_url::NodeUrl;
use nodes::Nodes;
use pages::Reading;

/// Batches of one run that are under way at a time, where not all fit into one.
const BATCHES_AT_ONCE: usize = 4;
/// How often something is asked again that a super-node had no time or memory for, while nothing else of the
/// run gets on either; and how long until the first of these, doubled each time.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a batch beside its asks.
const BATCH_JSON: usize = "{\"asks\":[]}".len();

/// An overlay, by super-nodes' JSON doors.
pub struct Http {
    nodes: Nodes,
}

/// An ask of a run: what is to be sent of it yet, and what has come of it.
struct Pending {
    ask: Ask,
    reading: Option<Reading>,
    answer: Option<Result<Answer, OverlayError>>,
    /// Whether another super-node was asked when the first found too few replicas.
    elsewhere: bool,
}

impl Http {
    /// By these super-nodes, the first as long as it works; with the overlay's passphrase, if it has one.
    pub fn new(nodes: Vec<NodeUrl>, passphrase: Option<&str>) -> Http {
        Http { nodes: Nodes::new(nodes, passphrase) }
    }

    async fn run_all(&self, asks: Vec<Ask>) -> Vec<Result<Answer, OverlayError>> {
        let mut all: Vec<Pending> = asks.into_iter().map(Pending::new).collect();
        let mut tries = 0;
        loop {
            let open: Vec<usize> = (0..all.len()).filter(|at| all[*at].answer.is_none()).collect();
            if open.is_empty() {
                break;
            }
            let batches = batches(&all, &open);
            let sent = stream::iter(batches).map(|(ats, body)| async move {
                let answers = self.batch(ats.len(), body).await;
                (ats, answers)
            });
            let sent: Vec<_> = sent.buffered(BATCHES_AT_ONCE).collect().await;
            let (mut got_on, mut elsewhere) = (false, None);
            let last = tries + 1 >= TRIES;
            for (ats, answers) in sent {
                match answers {
                    Ok((node, answers)) => {
                        for (at, answer) in ats.into_iter().zip(answers) {
                            let taken = all[at].take(answer, last, self.nodes.len() > 1);
                            got_on |= taken != Taken::Again;
                            if taken == Taken::Elsewhere {
                                elsewhere = Some(node);
                            }
                        }
                    }
                    Err(error) => {
                        for at in ats {
                            all[at].answer = Some(Err(error.clone()));
                        }
                    }
                }
            }
            if let Some(node) = elsewhere {
                self.nodes.leave(node);
            }
            match got_on {
                true => tries = 0,
                false => {
                    sleep(PAUSE * 2_u32.pow(tries)).await;
                    tries += 1;
                }
            }
        }
        all.into_iter().map(|pending| pending.answer.unwrap_or_else(|| Err(strange()))).collect()
    }

    /// Sends a batch of so many asks; who answered, and what.
    async fn batch(
        &self,
        asks: usize,
        body: Bytes,
    ) -> Result<(usize, Vec<door::Answer>), OverlayError> {
        let (node, reply) = self
            .nodes
            .ask("/api/v1/batch", body, Duration::ZERO, |reply| {
                let Answers { answers } = serde_json::from_slice(reply).ok()?;
                (answers.len() == asks).then_some(answers)
            })
            .await?;
        Ok((node, reply))
    }

    async fn watch_all(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
        values: bool,
    ) -> Result<Vec<Changed>, OverlayError> {
        if keys.len() > WATCHED_MAX {
            let text = format!("at most {WATCHED_MAX} keys are watched at once");
            return Err(OverlayError::Refused(text));
        }
        let wait = wait.min(Duration::from_secs(WATCH_MAX_S));
        let watched = keys.iter().map(WatchedKey::from).collect();
        let body = Watch { watched, timeout_s: wait.as_secs_f64(), values };
        let body = serde_json::to_vec(&body).map_err(|_| strange())?;
        let (_, changed) = self
            .nodes
            .ask("/api/v1/watch", body.into(), wait, |reply| {
                let Changes { changed } = serde_json::from_slice(reply).ok()?;
                let changed = changed.into_iter().map(|changed| {
                    let key = keys.get(changed.at)?.key.clone();
                    changed.read(key).ok()
                });
                changed.collect::<Option<Vec<_>>>().filter(|changed| changed.len() <= keys.len())
            })
            .await?;
        Ok(changed)
    }
}

impl Overlay for Http {
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answer, OverlayError>>> {
        Box::pin(self.run_all(asks))
    }

    fn watch(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Watched>, OverlayError>> {
        Box::pin(async move {
            let changed = self.watch_all(keys, wait, false).await?;
            let watched = |Changed { key, cursor, .. }| Watched { key, cursor: Some(cursor) };
            Ok(changed.into_iter().map(watched).collect())
        })
    }

    fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Changed>, OverlayError>> {
        Box::pin(self.watch_all(keys, wait, true))
    }

    fn via(&self) -> Option<String> {
        self.nodes.first()
    }
}

/// What became of an ask's answer.
#[derive(PartialEq, Eq)]
enum Taken {
    /// It is answered, or part of it is.
    Done,
    /// Nothing was done; it is asked again.
    Again,
    /// Too few replicas answered that super-node: another may reach more.
    Elsewhere,
}

impl Pending {
    fn new(ask: Ask) -> Pending {
        let reading = match &ask {
            Ask::Get(get) => Some(Reading::new(get.clone())),
            _ => None,
        };
        Pending { ask, reading, answer: None, elsewhere: false }
    }

    /// As it is sent now.
    fn json(&self) -> String {
        let ask = match &self.reading {
            Some(reading) => door::Ask::Get(door::Get::from(reading.next())),
            None => door::Ask::from(&self.ask),
        };
        // Nothing in it cannot be written.
        serde_json::to_string(&ask).unwrap_or_default()
    }

    /// Takes an answer; the last there will be, or one of which there may be another.
    fn take(&mut self, answer: door::Answer, last: bool, others: bool) -> Taken {
        if let door::Answer::Error(refusal) = &answer {
            match refusal.kind {
                door::Kind::TryAgain if !last => return Taken::Again,
                door::Kind::NoQuorum if others && !self.elsewhere => {
                    self.elsewhere = true;
                    return Taken::Elsewhere;
                }
                _ => {}
            }
        }
        let answer = match (&mut self.reading, answer.read()) {
            (Some(reading), Ok(Answer::Page(page))) => match reading.add(page) {
                Some(answer) => answer.map(Answer::Page),
                None => return Taken::Done,
            },
            (Some(_), Ok(_)) => Err(strange()),
            (_, answer) => answer,
        };
        self.answer = Some(answer);
        Taken::Done
    }
}

/// The asks that are open, as bodies within the door's bounds, each with the numbers of its asks.
fn batches(all: &[Pending], open: &[usize]) -> Vec<(Vec<usize>, Bytes)> {
    let mut batches: Vec<(Vec<usize>, String)> = Vec::new();
    for at in open {
        let json = all[*at].json();
        match batches.last_mut() {
            Some((ats, body))
                if ats.len() < BATCH_MAX
                    && BATCH_JSON + body.len() + json.len() < BATCH_BODY_MAX =>
            {
                ats.push(*at);
                body.push(',');
                body.push_str(&json);
            }
            _ => batches.push((vec![*at], json)),
        }
    }
    let whole = |(ats, asks): (Vec<usize>, String)| (ats, format!("{{\"asks\":[{asks}]}}").into());
    batches.into_iter().map(whole).collect()
}

fn strange() -> OverlayError {
    OverlayError::Refused("the super-node answers something that was not asked".to_owned())
}

#[cfg(test)]
mod tests;
