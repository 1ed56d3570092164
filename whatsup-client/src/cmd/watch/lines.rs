//! [`Lines`]: what happens, an object for each event, for programs. Each has `event`, what it is, and `new`:
//! whether it happened while this ran, or was so before. `ready` comes when all that was so before was told.

use std::collections::{BTreeMap, BTreeSet};

use base::PublicKey;
use serde_json::{Value as Json, json};

use super::super::inbox::{key_of, kind_of, word_of};
use super::super::say::{replicas, word};
use super::super::shown::as_json;
use super::event::{Event, Shared, Talk};
use crate::here::Present;
use crate::inbox::Peer;
use crate::keys::ThingId;
use crate::message::{MessageId, State};

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Lines {
    posts: Option<BTreeSet<ThingId>>,
    /// Each message, and how far one's own came.
    messages: Option<BTreeMap<(Peer, MessageId), Option<State>>>,
    here: Option<BTreeMap<PublicKey, Guest>>,
    is_ready: bool,
}

/// What is told of somebody who is here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guest {
    name: String,
    sessions: usize,
    phones: usize,
    status: String,
}

impl Lines {
    /// What is to be told because this is so now: each, and whether it is new.
    pub(super) fn told(&mut self, event: Event) -> Vec<(Json, bool)> {
        let mut told = self.one(event);
        let is_all = self.posts.is_some() && self.messages.is_some() && self.here.is_some();
        if is_all && !std::mem::replace(&mut self.is_ready, true) {
            told.push((line("ready", false, json!({})), false));
        }
        told
    }

    fn one(&mut self, event: Event) -> Vec<(Json, bool)> {
        match event {
            Event::Feed(feed) => self.feed(&feed),
            Event::Talks(talks) => self.talks(&talks),
            Event::Here(present, _) => self.here(&present),
            Event::Alert(alert) => vec![(line("alert", true, alert.json), true)],
            Event::Node(node) => vec![(line("node", false, json!({ "node": node })), false)],
            Event::Trouble(why) => {
                vec![(line("trouble", false, json!({ "message": why })), false)]
            }
            // Nothing is opened or wished for.
            Event::Comments(..) | Event::Done(_) | Event::Failed(_) => Vec::new(),
        }
    }

    fn feed(&mut self, feed: &[Shared]) -> Vec<(Json, bool)> {
        let now: BTreeSet<ThingId> = feed.iter().map(|shared| shared.post.id).collect();
        let before = self.posts.replace(now);
        let is_new = before.is_some();
        let before = before.unwrap_or_default();
        // The oldest first, as it happened.
        let came = feed.iter().rev().filter(|shared| !before.contains(&shared.post.id));
        let told = came.map(|Shared { post, community }| {
            let mut json = as_json(post);
            json["community_title"] = community.clone().into();
            (line("post", is_new, json), is_new)
        });
        told.collect()
    }

    fn talks(&mut self, talks: &[Talk]) -> Vec<(Json, bool)> {
        let mut now = BTreeMap::new();
        let (is_new, before) = (self.messages.is_some(), self.messages.take().unwrap_or_default());
        let mut told = Vec::new();
        for talk in talks {
            for (stamp, id, kept) in &talk.messages {
                let at = (talk.peer.clone(), *id);
                if before.get(&at) != Some(&kept.mine) {
                    let mut json = json!({
                        "with": talk.label,
                        "key": key_of(&talk.peer),
                        "kind": kind_of(&talk.peer),
                        "standing": word_of(talk.standing),
                        "id": id.to_string(),
                        "stamp_ms": stamp.millis(),
                        "mine": kept.mine.is_some(),
                        "text": kept.text,
                    });
                    if let Some(state) = kept.mine {
                        json["state"] = word(state).into();
                        json["replicas"] = replicas(state).into();
                    }
                    told.push((*stamp, (line("message", is_new, json), is_new)));
                }
                now.insert(at, kept.mine);
            }
        }
        self.messages = Some(now);
        told.sort_by_key(|(stamp, _)| *stamp);
        told.into_iter().map(|(_, told)| told).collect()
    }

    fn here(&mut self, present: &[Present]) -> Vec<(Json, bool)> {
        let guests = present.iter().map(|one| {
            let (name, status) = (one.person.name.to_string(), one.status.clone());
            let (sessions, phones) = (one.sessions, one.phones.len());
            (one.person.key, Guest { name, sessions, phones, status })
        });
        let now: BTreeMap<PublicKey, Guest> = guests.collect();
        let (is_new, before) = (self.here.is_some(), self.here.take().unwrap_or_default());
        let mut told = Vec::new();
        let mut tell = |key: &PublicKey, guest: &Guest, is_here: bool| {
            let Guest { name, sessions, phones, status } = guest;
            let json = json!({
                "name": name,
                "key": key.to_string(),
                "here": is_here,
                "sessions": sessions,
                "phones": phones,
                "status": status,
            });
            told.push((line("here", is_new, json), is_new));
        };
        for (key, guest) in now.iter().filter(|(key, guest)| before.get(key) != Some(guest)) {
            tell(key, guest, true);
        }
        for (key, guest) in before.iter().filter(|(key, _)| !now.contains_key(key)) {
            let gone = Guest { sessions: 0, phones: 0, status: String::new(), ..guest.clone() };
            tell(key, &gone, false);
        }
        self.here = Some(now);
        told
    }
}

/// An event of this kind with these fields.
fn line(event: &str, is_new: bool, fields: Json) -> Json {
    let mut line = json!({ "event": event, "new": is_new });
    if let (Json::Object(line), Json::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    line
}

#[cfg(test)]
mod tests;
