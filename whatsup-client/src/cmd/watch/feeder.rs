//! [`Feeder`]: waits for the overlay's watches, reads what changed, tells it; and does what the person wishes.
//! What is looked at when, [`Looks`] decides.

use std::time::Duration;

use base::Name;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::alerts::told;
use super::super::community::Named;
use super::super::context::Context;
use super::super::error::CommandError;
use super::super::say;
use super::event::{Alert, Event, Wish};
use super::following::Following;
use super::looks::{Looks, Part};
use super::mailroom;
use crate::alerts::{self, Alerts};
use crate::author::Author;
use crate::here::Roll;
use crate::net::Net;
use crate::overlay::{OverlayError, Watched};
use crate::private::{Follow, Kept, Private};

/// Before it is tried again when no super-node answers.
const PAUSE: Duration = Duration::from_secs(2);

/// Nobody wants to be told any more.
pub(super) struct Gone;

/// Tells what happens around a person.
pub(super) struct Feeder<'a> {
    context: Context<'a>,
    me: Author,
    private: Private,
    kept: Kept,
    looks: Looks,
    following: Following,
    alerts: Alerts,
    roll: Roll,
    /// The super-node that answered last; none before one did.
    via: Option<String>,
    /// The trouble that was told last, unless it is over.
    trouble: Option<String>,
    events: mpsc::Sender<Event>,
}

/// What ends a wait.
enum Happened {
    Wished(Option<Wish>),
    Rang(Result<Vec<alerts::Alert>, OverlayError>),
    Changed(Result<Vec<Watched>, OverlayError>),
}

impl<'a> Feeder<'a> {
    /// Of whoever is logged in.
    ///
    /// # Errors
    /// That nobody is, and the home's.
    pub(super) fn new(
        context: Context<'a>,
        events: mpsc::Sender<Event>,
    ) -> Result<Feeder<'a>, CommandError> {
        let (me, private) = (context.me()?, context.private()?);
        let (mut looks, now) = (Looks::default(), Instant::now());
        for part in [Part::Private, Part::Inbox, Part::Here] {
            looks.add(part, &me, now);
        }
        let alerts = Alerts::new(context.net().clone(), []);
        Ok(Feeder {
            context,
            me,
            private,
            kept: Kept::default(),
            looks,
            following: Following::default(),
            alerts,
            roll: Roll::default(),
            via: None,
            trouble: None,
            events,
        })
    }

    /// Tells what happens until nobody listens, or nobody can wish for anything any more.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        while self.step(&mut wishes).await.is_ok() {}
    }

    async fn step(&mut self, wishes: &mut mpsc::Receiver<Wish>) -> Result<(), Gone> {
        self.look().await?;
        let now = Instant::now();
        let (watched, wait) = (self.looks.watched(now), self.looks.wait(now));
        let hears = !self.alerts.is_empty();
        let happened = tokio::select! {
            wish = wishes.recv() => Happened::Wished(wish),
            rang = self.alerts.next(), if hears => Happened::Rang(rang),
            changed = watch(self.context.net(), watched, wait) => Happened::Changed(changed),
        };
        match happened {
            Happened::Wished(None) => Err(Gone),
            Happened::Wished(Some(wish)) => self.grant(wish).await,
            Happened::Rang(Err(error)) | Happened::Changed(Err(error)) => {
                self.fail(&error.into()).await?;
                sleep(PAUSE).await;
                Ok(())
            }
            Happened::Changed(Ok(changed)) => {
                self.looks.changed(&changed, Instant::now());
                self.answered().await
            }
            Happened::Rang(Ok(alerts)) => {
                self.answered().await?;
                self.alert(alerts).await
            }
        }
    }

    /// Looks at all that is due.
    async fn look(&mut self) -> Result<(), Gone> {
        let mut is_feed = false;
        for part in self.looks.due(Instant::now()) {
            if !matches!(part, Part::Follow(_)) {
                is_feed |= part == Part::Private;
                let began = Instant::now();
                let looked = self.look_at(&part).await;
                self.looked(&part, looked, began).await?;
            }
        }
        // Among them whom the person follows since a moment ago.
        let due = self.looks.due(Instant::now()).into_iter();
        let follows: Vec<Follow> = due.filter_map(Part::follow).collect();
        if !follows.is_empty() {
            is_feed = true;
            let began = Instant::now();
            let failed = self.following.read(self.context.net(), follows.clone()).await;
            for follow in follows {
                let why = failed.iter().find(|(failed, _)| *failed == follow);
                let looked = why.map_or(Ok(None), |(_, why)| Err(why.clone().into()));
                self.looked(&Part::Follow(follow), looked, began).await?;
            }
        }
        match is_feed {
            true => self.tell(Event::Feed(self.following.newest(&self.kept))).await,
            false => Ok(()),
        }
    }

    async fn looked(
        &mut self,
        part: &Part,
        looked: Result<Option<Event>, CommandError>,
        began: Instant,
    ) -> Result<(), Gone> {
        let now = Instant::now();
        match looked {
            Ok(event) => {
                self.looks.looked(part, now, now - began);
                if let Some(event) = event {
                    self.tell(event).await?;
                }
                self.answered().await
            }
            Err(error) => {
                self.looks.failed(part, now);
                self.fail(&error).await
            }
        }
    }

    /// What is to be told of this part now.
    async fn look_at(&mut self, part: &Part) -> Result<Option<Event>, CommandError> {
        let net = self.context.net();
        Ok(match part {
            Part::Private => {
                self.kept = self.private.read().await?;
                self.follow();
                None
            }
            Part::Inbox => Some(Event::Talks(mailroom::fetch(&self.context).await?)),
            Part::Comments(thing) => {
                let kept = &self.kept;
                let (said, _) =
                    net.comments().of(*thing, |said| kept.is_blocked(&said.author)).await?;
                Some(Event::Comments(*thing, said))
            }
            Part::Here => {
                let others: Vec<Name> = people(&self.kept).collect();
                let (present, is_all) = self.roll.look(net, &others, &self.kept).await?;
                Some(Event::Here(present, is_all))
            }
            Part::Follow(_) => None,
        })
    }

    /// Follows what the person follows now, and nothing else.
    fn follow(&mut self) {
        let now = Instant::now();
        let kept = &self.kept;
        let is_over = |follow: &Follow| !kept.is_followed(follow);
        self.looks.remove(|part| matches!(part, Part::Follow(follow) if is_over(follow)));
        self.following.forget(kept);
        for follow in kept.follows() {
            self.looks.add(Part::Follow(follow), &self.me, now);
        }
        self.alerts.follow(communities(kept));
        // Whom one follows is shown with their telephone, whom one blocks not at all.
        self.looks.touch(&Part::Here, now);
    }

    async fn alert(&mut self, alerts: Vec<alerts::Alert>) -> Result<(), Gone> {
        let now = Instant::now();
        for alert in &alerts {
            self.looks.touch(&Part::Follow(Follow::Community(alert.community)), now);
        }
        let is_shown = |alert: &&alerts::Alert| {
            alert.author != self.me.public() && !self.kept.is_blocked(&alert.author)
        };
        let shown: Vec<&alerts::Alert> = alerts.iter().filter(is_shown).collect();
        let authors = shown.iter().map(|alert| (alert.author, &*alert.name));
        let named = match Named::of(self.context.net(), authors).await {
            Ok(named) => named,
            Err(error) => return self.fail(&error).await,
        };
        for alert in shown {
            let (json, line) = told(alert, &named);
            self.tell(Event::Alert(Alert { line, json })).await?;
        }
        Ok(())
    }

    async fn grant(&mut self, wish: Wish) -> Result<(), Gone> {
        let now = Instant::now();
        let done = match wish {
            Wish::Open(thing) => {
                self.looks.remove(|part| matches!(part, Part::Comments(_)));
                self.looks.add(Part::Comments(thing), &self.me, now);
                return Ok(());
            }
            Wish::Shut => {
                self.looks.remove(|part| matches!(part, Part::Comments(_)));
                return Ok(());
            }
            Wish::Seen(peer) => match mailroom::seen(&peer, &self.context).await {
                Ok(talks) => return self.tell(Event::Talks(talks)).await,
                Err(error) => Err(error),
            },
            Wish::Comment(about, text) => {
                let comments = self.context.net().comments();
                let said = comments.say(&self.me, about, None, &text).await;
                self.looks.touch(&Part::Comments(about), now);
                said.map(|_| "said".to_owned()).map_err(CommandError::from)
            }
            Wish::Say(to, text) => {
                let said = Box::pin(say::say(&to, &text, &mut self.context)).await;
                self.looks.touch(&Part::Inbox, now);
                said.map(|state| format!("{}: {state}", crate::text::shown(&to)))
            }
        };
        match done {
            Ok(said) => self.tell(Event::Done(said)).await,
            Err(error) => self.tell(Event::Failed(error.to_string())).await,
        }
    }

    /// A super-node answered: which, if it is another than before.
    async fn answered(&mut self) -> Result<(), Gone> {
        let via = self.context.net().via().unwrap_or_default();
        let is_over = self.trouble.take().is_some();
        if self.via.as_ref() == Some(&via) && !is_over {
            return Ok(());
        }
        self.via = Some(via.clone());
        self.tell(Event::Node(via)).await
    }

    /// Something could not be read: why, if that is new.
    async fn fail(&mut self, error: &CommandError) -> Result<(), Gone> {
        let why = error.to_string();
        if self.trouble.as_ref() == Some(&why) {
            return Ok(());
        }
        self.trouble = Some(why.clone());
        self.tell(Event::Trouble(why)).await
    }

    async fn tell(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }
}

/// As [`Net::watch`]; of nothing it waits, too.
async fn watch(
    net: &Net,
    watched: Vec<Watched>,
    wait: Duration,
) -> Result<Vec<Watched>, OverlayError> {
    if watched.is_empty() {
        sleep(wait).await;
        return Ok(Vec::new());
    }
    net.watch(watched, wait).await
}

fn people(kept: &Kept) -> impl Iterator<Item = Name> {
    kept.follows().filter_map(|follow| match follow {
        Follow::Person(name) => Some(name),
        Follow::Community(_) => None,
    })
}

fn communities(kept: &Kept) -> impl Iterator<Item = crate::keys::CommunityId> {
    kept.follows().filter_map(|follow| match follow {
        Follow::Community(id) => Some(id),
        Follow::Person(_) => None,
    })
}
