//! What a proxy changes in a message it passes on (RFC 3261 §16.6, §16.7): the rest stays, byte for
//! byte, and all is written once.

use std::fmt::Display;

use bytes::{BufMut, Bytes, BytesMut};

use super::grammar::List;
use super::index::Entry;
use super::lines::{line, marked_vias, put};
use super::{HeaderName, Message, Start, ViaMark};

/// Room for lines that are added, so that most messages are written without the buffer growing.
const ADDED_USUAL: usize = 512;

/// Changes to a message, gathered first. What is pushed stands before all that was there; of several
/// pushed of one kind, the last one is the first.
#[derive(Debug)]
pub struct Edit<'m> {
    message: &'m Message,
    request_uri: Option<&'m str>,
    mark: Option<ViaMark>,
    popped: [Popped; 2],
    max_forwards: Option<u8>,
    stripped: u64,
    top: BytesMut,
    end: BytesMut,
    with_length: bool,
}

/// Which of a list's values go. One for Via, one for Route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Popped {
    /// So many go from the beginning.
    first: usize,
    /// Those from this one on go.
    end: usize,
}

impl Popped {
    const NOTHING: Popped = Popped { first: 0, end: usize::MAX };
}

const VIA: usize = 0;
const ROUTE: usize = 1;

impl<'m> Edit<'m> {
    /// Nothing changed yet.
    pub fn new(message: &'m Message) -> Edit<'m> {
        Edit {
            message,
            request_uri: None,
            mark: None,
            popped: [Popped::NOTHING; 2],
            max_forwards: None,
            stripped: 0,
            top: BytesMut::new(),
            end: BytesMut::new(),
            with_length: false,
        }
    }

    /// Sets the Request-URI. Nothing changes in a response.
    pub fn request_uri(mut self, uri: &'m str) -> Self {
        self.request_uri = Some(uri);
        self
    }

    /// Sets what the receiver says in the Via that was on top (`received`, `rport`); without a mark what
    /// is there stays.
    pub fn mark_via(mut self, mark: ViaMark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// Puts a Via on top.
    pub fn push_via(self, via: impl Display) -> Self {
        self.push(HeaderName::Via, via)
    }

    /// Removes the Via that was on top.
    pub fn pop_via(mut self) -> Self {
        self.popped[VIA].first = 1;
        self
    }

    /// Puts a Route on top.
    pub fn push_route(self, route: impl Display) -> Self {
        self.push(HeaderName::Route, route)
    }

    /// Removes so many Routes from the top.
    pub fn pop_routes(mut self, count: usize) -> Self {
        self.popped[ROUTE].first = count;
        self
    }

    /// Adds a Route after all others (RFC 3261 §16.6, step 6).
    pub fn append_route(self, route: impl Display) -> Self {
        self.add(HeaderName::Route.as_str(), route)
    }

    /// Removes the last Route (RFC 3261 §16.4).
    pub fn pop_last_route(mut self) -> Self {
        self.popped[ROUTE].end = self.message.values(HeaderName::Route).count().saturating_sub(1);
        self
    }

    /// Puts a Record-Route on top.
    pub fn push_record_route(self, route: impl Display) -> Self {
        self.push(HeaderName::RecordRoute, route)
    }

    /// Puts a Path on top (RFC 3327).
    pub fn push_path(self, path: impl Display) -> Self {
        self.push(HeaderName::Path, path)
    }

    /// Sets Max-Forwards, whether it was there or not.
    pub fn max_forwards(mut self, left: u8) -> Self {
        self.max_forwards = Some(left);
        self
    }

    /// Removes every field of a name. [`HeaderName::Other`] removes nothing.
    pub fn strip(mut self, name: HeaderName) -> Self {
        self.stripped |= bit(name);
        self
    }

    /// Adds a field after all others.
    pub fn add(mut self, name: &str, value: impl Display) -> Self {
        line(&mut self.end, name, value);
        self
    }

    /// Says the body's length, if the message does not: on a stream it has to be said (RFC 3261 §20.14).
    pub fn with_length(mut self) -> Self {
        self.with_length = true;
        self
    }

    fn push(mut self, name: HeaderName, value: impl Display) -> Self {
        let below = self.top.split();
        self.top.reserve(below.len() + ADDED_USUAL);
        line(&mut self.top, name.as_str(), value);
        self.top.unsplit(below);
        self
    }

    /// The changed message.
    pub fn finish(mut self) -> Bytes {
        let bytes = self.message.bytes.as_ref();
        if self.max_forwards.is_some() && !self.has(HeaderName::MaxForwards) {
            line(&mut self.end, HeaderName::MaxForwards.as_str(), self.max_forwards.unwrap_or(0));
        }
        if self.with_length && !self.has(HeaderName::ContentLength) {
            let length = self.message.body().len();
            line(&mut self.end, HeaderName::ContentLength.as_str(), length);
        }
        let added = self.top.len() + self.end.len() + self.request_uri.map_or(0, str::len);
        let mut out = BytesMut::with_capacity(bytes.len() + added + ADDED_USUAL / 4);
        self.start_line(&mut out);
        out.put_slice(&self.top);
        let mut copied = self.message.header;
        let mut seen = [0, 0];
        for entry in &self.message.entries {
            let change = self.change(entry, &mut seen);
            if change == Change::Keep {
                continue;
            }
            out.put_slice(&bytes[copied..usize::from(entry.line)]);
            copied = usize::from(entry.end);
            self.write(entry, change, &mut out);
        }
        let end = self.message.entries.last().map_or(self.message.header, |e| usize::from(e.end));
        out.put_slice(&bytes[copied..end]);
        out.put_slice(&self.end);
        out.put_slice(&bytes[end..]);
        out.freeze()
    }

    fn has(&self, name: HeaderName) -> bool {
        self.stripped & bit(name) == 0 && self.message.fields_of(name).next().is_some()
    }

    fn start_line(&self, out: &mut BytesMut) {
        let line = &self.message.bytes[..self.message.header];
        match (self.request_uri, self.message.start) {
            (Some(new), Start::Request { uri, .. }) => {
                out.put_slice(&line[..usize::from(uri.start)]);
                put(out, new);
                out.put_slice(&line[usize::from(uri.end)..]);
            }
            _ => out.put_slice(line),
        }
    }

    /// What happens to a field. `seen` counts the values of the fields of its name before.
    fn change(&self, entry: &Entry, seen: &mut [usize; 2]) -> Change {
        if self.stripped & bit(entry.name) != 0 {
            return Change::Drop;
        }
        let which = match entry.name {
            HeaderName::Via => VIA,
            HeaderName::Route => ROUTE,
            HeaderName::MaxForwards => {
                return self.max_forwards.map_or(Change::Keep, Change::Number);
            }
            _ => return Change::Keep,
        };
        let popped = self.popped[which];
        if popped == Popped::NOTHING && (which == ROUTE || self.mark.is_none() || seen[VIA] > 0) {
            return Change::Keep;
        }
        let before = seen[which];
        let count = List::new(entry.value.of(&self.message.bytes)).count();
        seen[which] += count;
        let from = popped.first.saturating_sub(before).min(count);
        let to = popped.end.saturating_sub(before).min(count);
        let marked = self.mark.filter(|_| which == VIA && before == 0 && from == 0);
        match marked {
            _ if from >= to => Change::Drop,
            None if (from, to) == (0, count) => Change::Keep,
            _ => Change::Values { from, to, marked },
        }
    }

    fn write(&self, entry: &Entry, change: Change, out: &mut BytesMut) {
        let value = entry.value.of(&self.message.bytes);
        let name = usize::from(entry.line)..usize::from(entry.value.start);
        let end = usize::from(entry.value.end)..usize::from(entry.end);
        match change {
            Change::Keep | Change::Drop => return,
            Change::Number(left) => {
                out.put_slice(&self.message.bytes[name]);
                put(out, left);
            }
            Change::Values { from, to, marked } => {
                out.put_slice(&self.message.bytes[name]);
                let values = List::part(value, from, to);
                match marked {
                    Some(mark) => marked_vias(out, values, mark),
                    None => out.put_slice(values),
                }
            }
        }
        out.put_slice(&self.message.bytes[end]);
    }
}

/// What happens to one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Keep,
    Drop,
    Number(u8),
    /// Some of a list's values stay; the first one may be marked.
    Values {
        from: usize,
        to: usize,
        marked: Option<ViaMark>,
    },
}

/// Names are fewer than 64.
fn bit(name: HeaderName) -> u64 {
    if name == HeaderName::Other { 0 } else { 1 << (name as u8) }
}

#[cfg(test)]
mod tests;
