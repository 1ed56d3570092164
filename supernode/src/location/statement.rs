//! What a super-node says of an address of record, byte by byte: the body of a signed entry.
//! `docs/reference/locations.md` draws it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use base::Slot;
use p2psip::location::{Binding, Media};
use p2psip::message::Uri;

/// The layout that is written and read.
const FORMAT: u8 = 1;
/// The kinds of statements, and of the parts of those of several bindings.
const AT: u8 = 0;
const OVER: u8 = 1;
const NONE_BEFORE: u8 = 2;
const TOGETHER: u8 = 3;
const DIRECT: u8 = 1;
const INSTANCE: u8 = 2;
const REG_ID: u8 = 4;
/// Longest Contact, Path, instance and flow token, in bytes: what the registrar accepts, and some room
/// for tokens of later versions.
const CONTACT_MAX: usize = p2psip::registrar::CONTACT_MAX;
const PATH_MAX: usize = p2psip::registrar::PATH_MAX;
const INSTANCE_MAX: usize = p2psip::registrar::INSTANCE_MAX;
const TOKEN_MAX: usize = 128;
const CONTACTS_MAX: usize = p2psip::registrar::CONTACTS_MAX;
/// Sets slots apart from all other hashes.
const SLOT_CONTEXT: &str = "scope 2026-11 slot of a location";

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// There is such a binding.
    At(Arc<Binding>),
    /// There is none any more that this one would replace.
    Over(Arc<Binding>),
    /// None that was made before counts.
    NoneBefore,
    /// Each of these, at once: what one REGISTER has set counts as a whole or not at all.
    Together(Vec<Part>),
}

/// One of several bindings that something is said of at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) binding: Arc<Binding>,
    /// How many seconds before the statement is over this binding is; `None` if there is none any more that
    /// it would replace.
    pub(super) sooner_s: Option<u32>,
}

/// Bytes that say nothing about where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no statement about a location: {0}")]
pub(super) struct Malformed(&'static str);

impl Statement {
    /// Its canonical bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        match self {
            Statement::At(binding) => {
                bytes.push(AT);
                write(&mut bytes, binding);
            }
            Statement::Over(binding) => {
                bytes.push(OVER);
                write(&mut bytes, binding);
            }
            Statement::NoneBefore => bytes.push(NONE_BEFORE),
            Statement::Together(parts) => {
                // Never more than a REGISTER may have contacts.
                bytes.extend([TOGETHER, u8::try_from(parts.len()).unwrap_or(u8::MAX)]);
                for Part { binding, sooner_s } in parts {
                    bytes.push(if sooner_s.is_some() { AT } else { OVER });
                    bytes.extend(sooner_s.unwrap_or(0).to_be_bytes());
                    write(&mut bytes, binding);
                }
            }
        }
        bytes
    }

    /// Reads what [`Statement::to_bytes`] writes, and nothing else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Statement, Malformed> {
        let mut rest = Rest(bytes);
        if rest.byte()? != FORMAT {
            return Err(Malformed("it is of another format"));
        }
        let statement = match rest.byte()? {
            AT => Statement::At(rest.binding()?),
            OVER => Statement::Over(rest.binding()?),
            NONE_BEFORE => Statement::NoneBefore,
            TOGETHER => {
                let count = usize::from(rest.byte()?);
                if !(1..=CONTACTS_MAX).contains(&count) {
                    return Err(Malformed("no REGISTER has so many contacts"));
                }
                Statement::Together((0..count).map(|_| rest.part()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed("its kind is not known here")),
        };
        match rest.0 {
            [] => Ok(statement),
            _ => Err(Malformed("there is more than it says")),
        }
    }

    /// Which of its author's statements about the address of record it takes the place of: those about
    /// the same flow of the same device, or the same Contact; or about the same ones together.
    pub(super) fn slot(&self) -> Slot {
        match self {
            Statement::At(binding) | Statement::Over(binding) => slot_of(binding),
            Statement::NoneBefore => Slot::ZERO,
            Statement::Together(parts) => {
                let mut slots: Vec<Slot> =
                    parts.iter().map(|part| slot_of(&part.binding)).collect();
                slots.sort_unstable();
                let mut hasher = blake3::Hasher::new_derive_key(SLOT_CONTEXT);
                hasher.update(&[2]);
                slots.iter().for_each(|slot| {
                    hasher.update(slot.as_bytes());
                });
                slot(&hasher)
            }
        }
    }
}

/// The slot of what is said of a binding alone.
pub(super) fn slot_of(binding: &Binding) -> Slot {
    let mut hasher = blake3::Hasher::new_derive_key(SLOT_CONTEXT);
    match (&binding.instance, binding.reg_id) {
        (Some(instance), reg_id) => {
            hasher.update(&[1]).update(&reg_id.map_or([0; 5], |id| {
                let [a, b, c, d] = id.to_be_bytes();
                [1, a, b, c, d]
            }));
            hasher.update(instance.as_bytes());
        }
        (None, _) => {
            hasher.update(&[0]).update(binding.contact.as_bytes());
        }
    }
    slot(&hasher)
}

fn slot(hasher: &blake3::Hasher) -> Slot {
    let mut slot = [0; Slot::LEN];
    slot.copy_from_slice(&hasher.finalize().as_bytes()[..Slot::LEN]);
    Slot::new(slot)
}

fn write(bytes: &mut Vec<u8>, binding: &Binding) {
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    bytes.push(
        flag(binding.direct, DIRECT)
            | flag(binding.instance.is_some(), INSTANCE)
            | flag(binding.reg_id.is_some(), REG_ID),
    );
    bytes.push(match binding.media {
        Media::Plain => 0,
        Media::WebRtc => 1,
        Media::Both => 2,
    });
    bytes.extend(binding.q.to_be_bytes());
    bytes.extend(binding.reg_id.unwrap_or(0).to_be_bytes());
    let ip = match binding.owner.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    bytes.extend(ip.octets());
    bytes.extend(binding.owner.port().to_be_bytes());
    let instance = binding.instance.as_deref().unwrap_or_default();
    for text in [&*binding.contact, instance, &*binding.path, &*binding.token] {
        // None is longer than a few hundred bytes.
        bytes.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed("it ends too soon"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed("it ends too soon"))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn part(&mut self) -> Result<Part, Malformed> {
        let (kind, sooner_s) = (self.byte()?, u32::from_be_bytes(self.array()?));
        let sooner_s = match (kind, sooner_s) {
            (AT, sooner_s) => Some(sooner_s),
            (OVER, 0) => None,
            _ => return Err(Malformed("the kind of a part is not known here")),
        };
        Ok(Part { binding: self.binding()?, sooner_s })
    }

    fn binding(&mut self) -> Result<Arc<Binding>, Malformed> {
        let flags = self.byte()?;
        if flags & !(DIRECT | INSTANCE | REG_ID) != 0 {
            return Err(Malformed("its flags are not known here"));
        }
        let media = match self.byte()? {
            0 => Media::Plain,
            1 => Media::WebRtc,
            2 => Media::Both,
            _ => return Err(Malformed("its media are not known here")),
        };
        let q = u16::from_be_bytes(self.array()?);
        let reg_id = u32::from_be_bytes(self.array()?);
        let ip = Ipv6Addr::from(self.array::<16>()?).to_canonical();
        let owner = SocketAddr::new(ip, u16::from_be_bytes(self.array()?));
        let contact = self.text(CONTACT_MAX)?;
        let instance = self.text(INSTANCE_MAX)?;
        let path = self.text(PATH_MAX)?;
        let token = self.text(TOKEN_MAX)?;
        let is_canonical = q <= 1000
            && (flags & INSTANCE != 0 || instance.is_empty())
            && (flags & REG_ID != 0 || reg_id == 0);
        if !is_canonical {
            return Err(Malformed("it is not written as it has to be"));
        }
        if !Uri::parse(contact).is_ok_and(|uri| uri.is_sip()) {
            return Err(Malformed("its contact is no address of SIP"));
        }
        Ok(Arc::new(Binding {
            contact: contact.into(),
            instance: (flags & INSTANCE != 0).then(|| instance.into()),
            reg_id: (flags & REG_ID != 0).then_some(reg_id),
            q,
            owner,
            token: token.into(),
            direct: flags & DIRECT != 0,
            path: path.into(),
            media,
        }))
    }

    fn text(&mut self, max: usize) -> Result<&'a str, Malformed> {
        let len = usize::from(u16::from_be_bytes(self.array()?));
        if len > max {
            return Err(Malformed("a part of it is too long"));
        }
        let text = str::from_utf8(self.take(len)?).map_err(|_| Malformed("it is not text"))?;
        // What is passed on in a header must not begin another.
        if text.contains(char::is_control) {
            return Err(Malformed("it has characters that cannot be seen"));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use super::*;

    #[test]
    fn a_statement_reads_back_and_no_shorter_or_longer_one_does() {
        let with = |instance: Option<&str>, reg_id, owner: &str| {
            Arc::new(Binding {
                instance: instance.map(Into::into),
                reg_id,
                owner: owner.parse().unwrap(),
                ..samples::binding("sip:anna@192.0.2.9:5062;transport=udp")
            })
        };
        let part = |sooner_s| Part { binding: with(None, None, "192.0.2.1:5060"), sooner_s };
        for statement in [
            Statement::Together(vec![part(None)]),
            Statement::Together([Some(0), Some(480), None].map(part).to_vec()),
            Statement::Together(vec![part(Some(1)); CONTACTS_MAX]),
            Statement::NoneBefore,
            Statement::At(with(None, None, "192.0.2.1:5060")),
            Statement::At(with(Some("urn:uuid:1"), Some(1), "[2001:db8::1]:5060")),
            Statement::Over(with(Some(""), None, "192.0.2.1:5060")),
            Statement::At(Arc::new(Binding {
                media: Media::WebRtc,
                direct: false,
                ..(*with(None, None, "[::1]:1")).clone()
            })),
        ] {
            let bytes = statement.to_bytes();
            assert_eq!(Statement::from_bytes(&bytes), Ok(statement));
            for len in 0..bytes.len() {
                assert!(Statement::from_bytes(&bytes[..len]).is_err(), "{len}");
            }
            assert!(Statement::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn the_page_s_vector_is_what_is_written() {
        const PAGE: &str = include_str!("../../../docs/reference/locations.md");
        let binding = Binding {
            instance: Some("urn:uuid:1".into()),
            ..samples::binding("sip:anna@192.0.2.9:5062")
        };
        let statement = Statement::At(Arc::new(binding));
        let service = base::ServiceId::new("P2PSIP").unwrap();
        let place = base::Key::in_service(&service, "location/anna").unwrap().place();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (body, slot) = (hex(&statement.to_bytes()), hex(statement.slot().as_bytes()));
        for line in
            [format!("place   {place}"), format!("body    {body}"), format!("slot    {slot}")]
        {
            assert!(PAGE.contains(&line), "not in the page: {line}");
        }
    }

    #[test]
    fn what_would_forge_a_header_or_is_no_address_is_refused() {
        for contact in ["sip:a@h\r\nX: y", "tel:+1", "", "sip:a@h\u{0}"] {
            let binding = Arc::new(samples::binding(contact));
            let together = vec![Part { binding: Arc::clone(&binding), sooner_s: Some(0) }];
            for statement in [Statement::At(binding), Statement::Together(together)] {
                assert!(Statement::from_bytes(&statement.to_bytes()).is_err());
            }
        }
        let long = Arc::new(samples::binding(&format!("sip:{}@h", "a".repeat(CONTACT_MAX))));
        assert!(Statement::from_bytes(&Statement::At(long).to_bytes()).is_err());
        let part = Part { binding: Arc::new(samples::binding("sip:a@h")), sooner_s: Some(0) };
        for count in [0, CONTACTS_MAX + 1] {
            let many = Statement::Together(vec![part.clone(); count]);
            assert!(Statement::from_bytes(&many.to_bytes()).is_err(), "{count}");
        }
    }

    #[test]
    fn a_slot_is_that_of_the_device_s_flow_or_of_the_contact() {
        let slot = |contact: &str, instance: Option<&str>, reg_id| {
            let instance = instance.map(Into::into);
            let binding = Arc::new(Binding { instance, reg_id, ..samples::binding(contact) });
            assert_eq!(
                Statement::Over(binding.clone()).slot(),
                Statement::At(binding.clone()).slot()
            );
            Statement::At(binding).slot()
        };
        assert_eq!(slot("sip:a@h1", Some("i"), Some(1)), slot("sip:a@h2", Some("i"), Some(1)));
        assert_ne!(slot("sip:a@h1", Some("i"), Some(1)), slot("sip:a@h1", Some("i"), Some(2)));
        assert_ne!(slot("sip:a@h1", Some("i"), None), slot("sip:a@h1", Some("i"), Some(0)));
        assert_ne!(slot("sip:a@h1", None, None), slot("sip:a@h2", None, None));
        assert_ne!(slot("sip:a@h1", Some("sip:a@h1"), None), slot("sip:a@h1", None, None));
        assert_eq!(Statement::NoneBefore.slot(), Slot::ZERO);
    }

    #[test]
    fn the_same_bindings_together_have_one_slot_and_it_is_none_of_theirs() {
        let together = |contacts: &[&str]| {
            let part = |contact: &&str| {
                let binding = Arc::new(samples::binding(contact));
                Part { binding, sooner_s: Some(0) }
            };
            Statement::Together(contacts.iter().map(part).collect()).slot()
        };
        let (one, other) = ("sip:a@h1", "sip:a@h2");
        assert_eq!(together(&[one, other]), together(&[other, one]));
        assert_ne!(together(&[one, other]), together(&[one]));
        assert_ne!(together(&[one]), together(&[other]));
        assert_ne!(together(&[one]), slot_of(&samples::binding(one)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_written_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            flags in 0_u8..8,
        ) {
            let binding = Arc::new(samples::binding("sip:a@h"));
            let mut made = Statement::At(Arc::clone(&binding)).to_bytes();
            made[2] = flags;
            let part = Part { binding, sooner_s: Some(9) };
            let mut together = Statement::Together(vec![part; 2]).to_bytes();
            together[usize::from(flags)] ^= 1;
            for bytes in [bytes, made, together] {
                if let Ok(statement) = Statement::from_bytes(&bytes) {
                    prop_assert_eq!(statement.to_bytes(), bytes);
                }
            }
        }
    }
}
