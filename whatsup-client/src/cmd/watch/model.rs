//! [`Model`]: all that is on the screen. Events and keys go in, wishes come out; [`super::view`] draws it. It
//! knows no overlay, no terminal and no clock.

use std::collections::BTreeSet;

use base::PublicKey;

use super::chosen::Chosen;
use super::event::{Event, Shared, Talk, Wish};
use crate::comments::{COMMENT_MAX, Comment};
use crate::here::Present;
use crate::inbox::Peer;
use crate::keys::ThingId;
use crate::text;

/// Rows that a page goes.
const PAGE: isize = 10;
/// Longest line that is typed, in bytes: a comment's; whoever has more to say uses `whatsup say`.
const TYPED_MAX: usize = COMMENT_MAX;

/// All that is on the screen.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Who is logged in.
    pub(super) me: String,
    /// The super-node that answers; none before one did.
    pub(super) node: Option<String>,
    /// What is wrong, while it is.
    pub(super) trouble: Option<String>,
    /// What happened last, in a line.
    pub(super) notice: Option<String>,
    pub(super) pane: Pane,
    pub(super) open: Open,
    pub(super) typed: Option<Typed>,
    /// None while nothing was read; so also the others.
    pub(super) feed: Option<Vec<Shared>>,
    pub(super) talks: Option<Vec<Talk>>,
    pub(super) here: Option<Vec<Present>>,
    /// Whether there are more here than are read.
    pub(super) more_here: bool,
    /// Posts that came while this was on the screen and that were not chosen since.
    pub(super) fresh: BTreeSet<ThingId>,
    /// What is said about the post that is open.
    pub(super) comments: Option<Vec<Comment>>,
    /// How far the open thing is scrolled: a post down, a conversation up from its end.
    pub(super) scroll: usize,
    chosen_post: Chosen<ThingId>,
    chosen_talk: Chosen<Peer>,
    chosen_person: Chosen<PublicKey>,
    /// The furthest it can be scrolled, as it was drawn last.
    scroll_max: usize,
}

/// The lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    /// What is shared.
    #[default]
    Feed,
    /// Conversations.
    Messages,
    /// Who is here.
    Here,
}

/// What is over the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Open {
    /// Nothing.
    #[default]
    Lists,
    /// A post, as it was when it was opened.
    Post(Box<Shared>),
    /// A conversation, and what its other side is called.
    Talk(Peer, String),
    /// What the keys do.
    Help,
}

/// A line that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) to: To,
    pub(super) text: String,
}

/// For what a line is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// A comment on a post of this person's.
    Post(ThingId, String),
    /// A message to whoever is called so.
    Person(String),
}

/// A key, or what else comes from whoever sits there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Tab,
    BackTab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// Control-C.
    Interrupt,
    Char(char),
    Pasted(String),
}

/// What follows from a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Wish(Wish),
    Leave,
}

impl Pane {
    /// All of them, in the order of Tab.
    pub(super) const ALL: [Pane; 3] = [Pane::Feed, Pane::Messages, Pane::Here];

    fn after(self, steps: usize) -> Pane {
        let at = Pane::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Pane::ALL[(at + steps) % Pane::ALL.len()]
    }
}

impl Model {
    /// Of whoever is logged in.
    pub(super) fn new(me: &str) -> Model {
        Model { me: me.to_owned(), ..Model::default() }
    }

    /// The row that is chosen in a list.
    pub(super) fn chosen(&self, pane: Pane) -> usize {
        match pane {
            Pane::Feed => self.chosen_post.at(&self.posts()),
            Pane::Messages => self.chosen_talk.at(&self.peers()),
            Pane::Here => self.chosen_person.at(&self.people()),
        }
    }

    /// The conversation with somebody, if there is one.
    pub(super) fn talk(&self, with: &Peer) -> Option<&Talk> {
        self.talks.iter().flatten().find(|talk| talk.peer == *with)
    }

    /// It was drawn; the open thing can be scrolled so far.
    pub(super) fn drawn(&mut self, scroll_max: usize) {
        self.scroll_max = scroll_max;
        self.scroll = self.scroll.min(scroll_max);
    }

    /// Something is so now: what is to be wished because of it.
    pub(super) fn told(&mut self, event: Event) -> Option<Wish> {
        match event {
            Event::Feed(feed) => {
                self.feed_is(feed);
                None
            }
            Event::Talks(talks) => {
                let before: usize = self.talks.iter().flatten().map(|talk| talk.unread).sum();
                let now = talks.iter().map(|talk| talk.unread).sum();
                if self.talks.is_some() && before < now {
                    self.notice = Some(match talks.iter().find(|talk| talk.unread > 0) {
                        Some(talk) => format!("a message from {}", talk.label),
                        None => "a message".to_owned(),
                    });
                }
                self.talks = Some(talks);
                self.seen()
            }
            Event::Here(present, is_all) => {
                (self.here, self.more_here) = (Some(present), !is_all);
                None
            }
            Event::Comments(about, said) => {
                if matches!(&self.open, Open::Post(shared) if shared.post.id == about) {
                    self.comments = Some(said);
                }
                None
            }
            Event::Alert(alert) => {
                self.notice = Some(alert.line);
                None
            }
            Event::Node(node) => {
                let before = self.node.replace(node.clone());
                let gone = before.filter(|before| *before != node);
                let gone = gone.map(|gone| format!("{gone} does not answer; ")).unwrap_or_default();
                if self.trouble.take().is_some() || !gone.is_empty() {
                    self.notice = Some(format!("{gone}{node} answers now"));
                }
                None
            }
            Event::Trouble(why) => {
                self.trouble = Some(why);
                self.notice = None;
                None
            }
            Event::Done(what) => {
                self.notice = Some(what);
                None
            }
            Event::Failed(why) => {
                self.notice = Some(format!("error: {why}"));
                None
            }
        }
    }

    /// Whoever sits there did this.
    pub(super) fn key(&mut self, key: Key) -> Then {
        if key == Key::Interrupt {
            return Then::Leave;
        }
        if self.typed.is_some() {
            return self.typing(key);
        }
        match (&self.open, key) {
            (_, Key::Char('q')) => Then::Leave,
            (Open::Help, _) => {
                self.open = Open::Lists;
                Then::Stay
            }
            (_, Key::Char('?')) => {
                let was_post = matches!(self.open, Open::Post(_));
                self.open = Open::Help;
                if was_post { Then::Wish(Wish::Shut) } else { Then::Stay }
            }
            (_, Key::Char('c')) => self.type_to(),
            (Open::Lists, key) => self.list_key(&key),
            (_, key) => self.open_key(&key),
        }
    }

    fn list_key(&mut self, key: &Key) -> Then {
        match key {
            Key::Tab => self.pane = self.pane.after(1),
            Key::BackTab => self.pane = self.pane.after(Pane::ALL.len() - 1),
            Key::Enter => return self.enter(),
            key => {
                if let Some(by) = steps(key) {
                    self.go(by);
                }
            }
        }
        Then::Stay
    }

    fn open_key(&mut self, key: &Key) -> Then {
        let is_post = matches!(self.open, Open::Post(_));
        match key {
            Key::Escape | Key::Backspace => {
                self.open = Open::Lists;
                self.comments = None;
                return if is_post { Then::Wish(Wish::Shut) } else { Then::Stay };
            }
            key => {
                if let Some(by) = steps(key) {
                    // What is at the end of a conversation is what is new.
                    let by = if is_post { by } else { by.saturating_neg() };
                    self.scroll = self.scroll.saturating_add_signed(by).min(self.scroll_max);
                }
            }
        }
        Then::Stay
    }

    fn go(&mut self, by: isize) {
        match self.pane {
            Pane::Feed => {
                let posts = self.posts();
                self.chosen_post.go(&posts, by);
                if let Some(id) = posts.get(self.chosen_post.at(&posts)) {
                    self.fresh.remove(id);
                }
            }
            Pane::Messages => self.chosen_talk.go(&self.peers(), by),
            Pane::Here => self.chosen_person.go(&self.people(), by),
        }
    }

    /// Opens what is chosen.
    fn enter(&mut self) -> Then {
        self.scroll = 0;
        match self.pane {
            Pane::Feed => {
                let Some(shared) = self.chosen_shared().cloned() else { return Then::Stay };
                let id = shared.post.id;
                self.fresh.remove(&id);
                self.comments = None;
                self.open = Open::Post(Box::new(shared));
                Then::Wish(Wish::Open(id))
            }
            Pane::Messages => {
                let talk = self.talks.iter().flatten().nth(self.chosen(Pane::Messages));
                let Some(talk) = talk else { return Then::Stay };
                self.open = Open::Talk(talk.peer.clone(), talk.label.clone());
                self.seen().map_or(Then::Stay, Then::Wish)
            }
            Pane::Here => {
                let Some((peer, label)) = self.chosen_guest() else { return Then::Stay };
                self.open = Open::Talk(peer, label);
                self.seen().map_or(Then::Stay, Then::Wish)
            }
        }
    }

    /// Begins a comment or a message about what is open or chosen.
    fn type_to(&mut self) -> Then {
        let person = |peer: &Peer, label: &str| match peer {
            Peer::Person(_) => Some(To::Person(label.to_owned())),
            Peer::Sip(_) => None,
        };
        let to = match (&self.open, self.pane) {
            (Open::Post(shared), _) => Some(about(shared)),
            (Open::Talk(peer, label), _) => person(peer, label),
            (_, Pane::Feed) => self.chosen_shared().map(about),
            (_, Pane::Messages) => {
                let talk = self.talks.iter().flatten().nth(self.chosen(Pane::Messages));
                talk.and_then(|talk| person(&talk.peer, &talk.label))
            }
            (_, Pane::Here) => self.chosen_guest().and_then(|(peer, label)| person(&peer, &label)),
        };
        match to {
            Some(to) => self.typed = Some(Typed { to, text: String::new() }),
            None => self.notice = Some("nothing is chosen that can be answered here".to_owned()),
        }
        Then::Stay
    }

    fn typing(&mut self, key: Key) -> Then {
        let Some(typed) = &mut self.typed else { return Then::Stay };
        match key {
            Key::Escape => self.typed = None,
            Key::Backspace => {
                typed.text.pop();
            }
            Key::Char(c) => typed.add(c),
            Key::Pasted(text) => text.chars().for_each(|c| typed.add(c)),
            Key::Enter if !typed.text.trim().is_empty() => {
                let Typed { to, text } = typed.clone();
                self.typed = None;
                self.notice = Some("…".to_owned());
                return Then::Wish(match to {
                    To::Post(id, _) => Wish::Comment(id, text),
                    To::Person(label) => Wish::Say(label, text),
                });
            }
            _ => {}
        }
        Then::Stay
    }

    fn feed_is(&mut self, feed: Vec<Shared>) {
        if let Some(before) = &self.feed {
            let known: BTreeSet<ThingId> = before.iter().map(|shared| shared.post.id).collect();
            let newest = before.first().map(|shared| shared.post.stamp);
            let came = |shared: &&Shared| {
                !known.contains(&shared.post.id) && newest.is_none_or(|at| shared.post.stamp >= at)
            };
            self.fresh.extend(feed.iter().filter(came).map(|shared| shared.post.id));
            self.fresh.retain(|id| feed.iter().any(|shared| shared.post.id == *id));
        }
        self.feed = Some(feed);
    }

    /// What is open of a conversation is seen.
    fn seen(&self) -> Option<Wish> {
        let Open::Talk(peer, _) = &self.open else { return None };
        let unread = self.talk(peer).is_some_and(|talk| talk.unread > 0);
        unread.then(|| Wish::Seen(peer.clone()))
    }

    fn chosen_shared(&self) -> Option<&Shared> {
        self.feed.iter().flatten().nth(self.chosen(Pane::Feed))
    }

    /// Who is chosen of those who are here, as in the conversation with them, if there is one.
    fn chosen_guest(&self) -> Option<(Peer, String)> {
        let guest = self.here.iter().flatten().nth(self.chosen(Pane::Here))?;
        let peer = Peer::Person(guest.person.key);
        let label = self.talk(&peer).map(|talk| talk.label.clone());
        Some((peer, label.unwrap_or_else(|| guest.person.name.to_string())))
    }

    fn posts(&self) -> Vec<ThingId> {
        self.feed.iter().flatten().map(|shared| shared.post.id).collect()
    }

    fn peers(&self) -> Vec<Peer> {
        self.talks.iter().flatten().map(|talk| talk.peer.clone()).collect()
    }

    fn people(&self) -> Vec<PublicKey> {
        self.here.iter().flatten().map(|present| present.person.key).collect()
    }
}

impl Typed {
    /// Takes a character, if it is one that can be seen and there is room.
    fn add(&mut self, c: char) {
        let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
        let is_seen = text::line(&format!("x{c}x"), "text", 16).is_ok();
        if is_seen && self.text.len() + c.len_utf8() <= TYPED_MAX {
            self.text.push(c);
        }
    }
}

fn about(shared: &Shared) -> To {
    To::Post(shared.post.id, shared.post.name.to_string())
}

/// How many rows down a key goes.
const fn steps(key: &Key) -> Option<isize> {
    Some(match key {
        Key::Up | Key::Char('k') => -1,
        Key::Down | Key::Char('j') => 1,
        Key::PageUp => -PAGE,
        Key::PageDown => PAGE,
        Key::Home => isize::MIN,
        Key::End => isize::MAX,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
