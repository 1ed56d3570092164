//! The clients of a simulated run: each puts, gets and removes all the time, at any node.

use std::time::Duration;

use base::{EntryId, Key, SecretTag, Ttl, Value};
use tokio::time::sleep;
use tracing::Instrument;

use super::check::{Deed, Side, Wrong};
use super::world::World;
use crate::{Dht, Page, PageRequest, Removal};

/// Keys each client writes, and values under each.
const KEYS: u64 = 12;
const VALUES: u64 = 3;

/// Between two deeds of a client, at most, in milliseconds: half of it on average. At leisure while replicas
/// are given the time to agree, for minutes in which nothing else happens.
const HURRY: u64 = 100;
const LEISURE: u64 = 1500;

/// How long a client waits when all nodes are down.
const NOBODY: Duration = Duration::from_secs(5);

/// A node a client asks.
pub(super) struct Asked {
    number: usize,
    dht: Dht,
    side: Side,
}

impl World {
    /// Goes on until the run is over.
    pub(super) async fn client(&self, number: usize) {
        while !self.over.get() && !self.has_failed() {
            match self.any_node() {
                Some(node) => self.act(number as u64, &node).await,
                None => sleep(NOBODY).await,
            }
            let most = if self.at_leisure.get() { LEISURE } else { HURRY };
            sleep(Duration::from_millis(self.random(most))).await;
        }
    }

    async fn act(&self, client: u64, node: &Asked) {
        let owner = self.random(self.plan.clients as u64);
        let mine = self.random(100) < 60;
        let owner = if mine { client } else { owner };
        let key = format!("{owner}/{}", self.random(KEYS));
        let slot = self.random(VALUES);
        match self.random(10) {
            0..=3 if mine => self.put(node, &key, &self.truth.value(&key, slot)).await,
            4..=5 if mine => self.remove(node, &key, &self.truth.value(&key, slot)).await,
            _ => {
                self.read(node.number, &node.dht, &as_key(&key)).await;
            }
        }
    }

    /// Any node that is up and awake.
    fn any_node(&self) -> Option<Asked> {
        let nodes = self.nodes.borrow();
        let up = nodes.iter().filter(|node| !node.asleep && !node.lies && node.dht.is_some());
        let up: Vec<usize> = up.map(|node| node.number).collect();
        let number = *self.rng.borrow_mut().choice(&up)?;
        Some(Asked { number, dht: nodes[number].dht.clone()?, side: nodes[number].side })
    }

    /// Whether a node a client asked is still the one it was: what one says after its plug was
    /// pulled, nobody hears.
    fn is_up(&self, number: usize, dht: &Dht) -> bool {
        self.nodes.borrow()[number].dht.as_ref().is_some_and(|up| up.is_same(dht))
    }

    fn span(&self, number: usize) -> tracing::Span {
        self.nodes.borrow()[number].span()
    }

    fn count(&self, acknowledged: bool) {
        let mut outcome = self.outcome.borrow_mut();
        *(if acknowledged { &mut outcome.acknowledged } else { &mut outcome.unacknowledged }) += 1;
    }

    /// Seconds to days, each order of magnitude as likely as another; often as long as may be.
    fn ttl(&self) -> Ttl {
        if self.random(4) == 0 {
            return Ttl::MAX;
        }
        let most = (Ttl::MAX.as_secs() as f64 / 5.0).ln();
        let seconds = 5.0 * (self.rng.borrow_mut().f64() * most).exp();
        Ttl::from_secs(seconds as i64).unwrap_or(Ttl::MAX)
    }

    async fn put(&self, node: &Asked, key: &str, value: &str) {
        let Asked { number, dht, side } = node;
        let ttl = self.ttl();
        let deed = Deed::Put(Duration::from_secs(ttl.as_secs()));
        let ticket = self.truth.begin(key, value, (*number, *side), self.now());
        let (place, content) = (as_key(key), as_value(value));
        let id = EntryId::of(&content, SecretTag::NONE);
        let put = dht.put(&place, content, SecretTag::NONE, ttl);
        let put = put.instrument(self.span(*number)).await;
        self.count(put.is_ok());
        match put {
            Ok(receipt) if self.is_up(*number, dht) && self.is_kept(&place.place(), id, true) => {
                self.truth.done(ticket, deed, receipt.replicas, self.now());
            }
            _ => self.truth.unknown(ticket, deed, self.now()),
        }
    }

    async fn remove(&self, node: &Asked, key: &str, value: &str) {
        let Asked { number, dht, side } = node;
        let ticket = self.truth.begin(key, value, (*number, *side), self.now());
        let (place, content) = (as_key(key), as_value(value));
        let id = EntryId::of(&content, SecretTag::NONE);
        let removed = dht.remove(&place, &content, None).instrument(self.span(*number)).await;
        self.count(removed.is_ok());
        match removed.ok().filter(|_| self.is_up(*number, dht)) {
            Some(Removal::Removed) if self.is_kept(&place.place(), id, false) => {
                // At least a quorum; of one node by itself there is but one.
                let copies = dht.status().replicas.min(2);
                self.truth.done(ticket, Deed::Remove, copies, self.now());
            }
            Some(Removal::NotFound | Removal::WrongSecret)
                if !self.truth.may_be_absent(&ticket, self.now()) =>
            {
                let what =
                    format!("{value:?} under {key:?} was not there to be removed at node {number}");
                let history = self.truth.history(key, value);
                self.fail_about(Some(&place), Wrong { what, history });
            }
            _ => self.truth.unknown(ticket, Deed::Remove, self.now()),
        }
    }

    /// Reads a key at a node and checks what it says.
    pub(super) async fn read(&self, number: usize, dht: &Dht, key: &Key) -> Option<Vec<String>> {
        let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
        let side = self.nodes.borrow()[number].side;
        let before = self.truth.before(&text, side, self.now());
        let page = dht.get(key, PageRequest::ALL).instrument(self.span(number)).await;
        self.count(page.is_ok());
        let listed = texts(&page.ok().filter(|_| self.is_up(number, dht))?);
        match self.truth.check(&before, &listed, self.now()) {
            Ok(sure) => self.outcome.borrow_mut().checked += sure,
            Err(wrong) => {
                let what = format!("{}, read at node {number}", wrong.what);
                self.fail_about(Some(key), Wrong { what, ..wrong });
            }
        }
        Some(listed)
    }
}

fn texts(page: &Page) -> Vec<String> {
    let text = |found: &crate::Found| String::from_utf8_lossy(found.value.as_bytes()).into_owned();
    page.values.iter().map(text).collect()
}

fn as_key(text: &str) -> Key {
    Key::new(text.to_owned()).expect("short")
}

pub(super) fn as_value(text: &str) -> Value {
    Value::new(text.to_owned()).expect("short")
}
