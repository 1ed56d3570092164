//! Every key of What's UP. All but names' lie in the key space of the service `WHATSUP`, so that a plain key of
//! the same bytes is another one. `docs/reference/keys.md` says of each who may write there, what, and for how
//! long it lives.

use std::fmt;

use base::{Key, Name, PublicKey, ServiceId, Slot};

/// The Service-ID of What's UP.
pub const SERVICE: &str = "WHATSUP";
/// Sets the ids of things apart from all other hashes.
const THING_CONTEXT: &str = "scope 2026-11 id of a thing";

/// Names one thing that somebody said: a post, an event, a poll, a comment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThingId([u8; ThingId::LEN]);

/// Names a community: a hash of its founder's key and the founder's slot for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommunityId([u8; CommunityId::LEN]);

impl ThingId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// What this author says in this slot of the list at this root.
    pub fn of(root: &Key, author: &PublicKey, slot: Slot) -> ThingId {
        let place = root.place();
        ThingId(hash(THING_CONTEXT, &[place.as_bytes(), author.as_bytes(), slot.as_bytes()]))
    }

    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; ThingId::LEN]) -> ThingId {
        ThingId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ThingId::LEN] {
        &self.0
    }
}

impl CommunityId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The community its founder describes in this slot of [`community`].
    pub fn of(founder: &PublicKey, slot: Slot) -> CommunityId {
        let context = "scope 2026-11 id of a community";
        CommunityId(hash(context, &[founder.as_bytes(), slot.as_bytes()]))
    }

    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; CommunityId::LEN]) -> CommunityId {
        CommunityId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; CommunityId::LEN] {
        &self.0
    }
}

macro_rules! in_hexadecimal {
    ($id:ident, $what:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self)
            }
        }

        impl std::str::FromStr for $id {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<$id, NotAnId> {
                let wrong = || NotAnId { what: $what, text: text.chars().take(40).collect() };
                if text.len() != 2 * $id::LEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(wrong());
                }
                let mut bytes = [0; $id::LEN];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    let pair = &text[2 * at..2 * at + 2];
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
                }
                Ok($id(bytes))
            }
        }
    };
}

/// A text that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id of {what}: it has 32 hexadecimal digits, as lists show it")]
pub struct NotAnId {
    what: &'static str,
    text: String,
}

in_hexadecimal!(ThingId, "a post, event, poll or comment");
in_hexadecimal!(CommunityId, "a community");

fn hash(context: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    let hash = hasher.finalize();
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// The slot in which an author says something about this, and nothing else: whatever is said there later
/// replaces it. `about` sets one use apart from all others.
pub fn slot_about(about: &str, parts: &[&[u8]]) -> Slot {
    let long = [about.as_bytes(), &[0]];
    Slot::new(hash("scope 2026-11 slot about something", &[&long, parts].concat()))
}

/// The service's key of these bytes, which are never too long.
fn key(text: impl fmt::Display) -> Key {
    let service = ServiceId::new(SERVICE).expect("a Service-ID");
    Key::in_service(&service, text.to_string()).expect("a short key")
}

/// Who a person says to be: one entry of the name's holder.
pub fn profile(name: &Name) -> Key {
    key(format_args!("profile/{name}"))
}

/// What a person shares, the newest of it, for who follows: one entry of the name's holder.
pub fn head(name: &Name) -> Key {
    key(format_args!("head/{name}"))
}

/// All that a person shares: a list.
pub fn posts(name: &Name) -> Key {
    key(format_args!("posts/{name}"))
}

/// What others have for a person, sealed: a list.
pub fn inbox(name: &Name) -> Key {
    key(format_args!("inbox/{name}"))
}

/// For where messages to a person and her encryption key are signed. Nothing is ever put under it.
pub fn message(name: &Name, encryption_key: &[u8; 32]) -> Key {
    let encryption_key = PublicKey::from_bytes(*encryption_key);
    key(format_args!("message/{name}/{encryption_key}"))
}

/// What a person keeps for herself, sealed: whom she blocks and follows, her keys. A slot for each.
pub fn private(person: &PublicKey) -> Key {
    key(format_args!("private/{person}"))
}

/// Who is here: a list, of entries that live for a minute or two.
pub fn here() -> Key {
    key("here")
}

/// All communities: a list.
pub fn communities() -> Key {
    key("communities")
}

/// What a community is: an entry of its founder's, and copies that its moderators keep alive.
pub fn community(id: CommunityId) -> Key {
    key(format_args!("community/{id}"))
}

/// Part of a community, a list: `members`, `news`, `events`, `polls`, `moderation`.
pub fn community_part(id: CommunityId, part: &'static str) -> Key {
    key(format_args!("community/{id}/{part}"))
}

/// What was just said in a community, for who waits for it: an entry of each who says something, which lives
/// for minutes.
pub fn bell(id: CommunityId) -> Key {
    key(format_args!("community/{id}/bell"))
}

/// What is said about a thing: a list.
pub fn comments(thing: ThingId) -> Key {
    key(format_args!("comments/{thing}"))
}

/// The votes of a poll: a list, one entry of each voter.
pub fn votes(poll: ThingId) -> Key {
    key(format_args!("votes/{poll}"))
}

/// Which votes of a poll count, once it is closed: an entry of each who closed it.
pub fn closing(poll: ThingId) -> Key {
    key(format_args!("closing/{poll}"))
}

/// A part of a file, by the BLAKE3 of its bytes.
pub fn blob(hash: &blake3::Hash) -> Key {
    key(format_args!("blob/{}", hash.to_hex()))
}

/// What of a person's is in the index: a list.
pub fn indexed(person: &PublicKey) -> Key {
    key(format_args!("indexed/{person}"))
}

/// What is found by the beginning of a word: a list. `kind` is `people`, `content` or `communities`.
pub fn index(kind: &'static str, beginning: &str) -> Key {
    key(format_args!("index/{kind}/{beginning}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a key's pattern, `*` for each that differs from one to the next.
    fn parts(pattern: &str, opens: char) -> Vec<&str> {
        pattern.split('/').map(|part| if part.starts_with(opens) { "*" } else { part }).collect()
    }

    #[test]
    fn every_key_stands_in_the_reference() {
        let page = include_str!("../../docs/reference/keys.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let rows: Vec<Vec<&str>> = rows.map(|key| parts(key, '<')).collect();
        let source = include_str!("keys.rs").split("#[cfg(test)]").next().unwrap();
        let made = source.split("\n    key(").skip(1);
        let mut count = 0;
        for call in made {
            let pattern = parts(call.split('"').nth(1).unwrap(), '{');
            let is_it = |row: &&Vec<&str>| {
                row.len() == pattern.len()
                    && row.iter().zip(&pattern).all(|(row, part)| row == part || *part == "*")
            };
            assert!(rows.iter().any(|row| is_it(&row)), "keys.md has no {}", pattern.join("/"));
            count += 1;
        }
        assert_eq!(count, source.matches("-> Key {").count() - 1, "each function makes one key");
    }

    #[test]
    fn ids_read_back_and_others_are_refused_kindly() {
        let id = CommunityId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ab", "zz", &"é".repeat(16), &"ab".repeat(17)] {
            let error = wrong.parse::<ThingId>().unwrap_err().to_string();
            assert!(error.contains("32 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn ids_tell_apart_who_where_and_which() {
        let (one, two) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        let root = posts(&Name::new("alice").unwrap());
        let all = [
            ThingId::of(&root, &one, Slot::ZERO),
            ThingId::of(&root, &two, Slot::ZERO),
            ThingId::of(&root, &one, Slot::new([1; 16])),
            ThingId::of(&here(), &one, Slot::ZERO),
        ];
        for (at, id) in all.iter().enumerate() {
            assert!(!all[..at].contains(id));
        }
    }
}
