//! What a super-node says of an address of record, byte by byte: the body of a signed entry.
//! `docs/reference/locations.md` draws it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use base::Slot;
use p2psip::location::{Binding, Media};
use p2psip::message::Uri;

/// The layout that is written and read.
const FORMAT: u8 = 1;
const DIRECT: u8 = 1;
const INSTANCE: u8 = 2;
const REG_ID: u8 = 4;
/// Longest Contact, Path, instance and flow token, in bytes: what the registrar accepts, and some room
/// for tokens of later versions.
const CONTACT_MAX: usize = p2psip::registrar::CONTACT_MAX;
const PATH_MAX: usize = p2psip::registrar::PATH_MAX;
const INSTANCE_MAX: usize = p2psip::registrar::INSTANCE_MAX;
const TOKEN_MAX: usize = 128;
/// Sets slots apart from all other hashes.
const SLOT_CONTEXT: &str = "scope 2026-11 slot of a location";

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// There is such a binding.
    At(Binding),
    /// There is none any more that this one would replace.
    Over(Binding),
    /// None that was made before counts.
    NoneBefore,
}

/// Bytes that say nothing about where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no statement about a location: {0}")]
pub(super) struct Malformed(&'static str);

impl Statement {
    /// Its canonical bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (kind, binding) = match self {
            Statement::At(binding) => (0, Some(binding)),
            Statement::Over(binding) => (1, Some(binding)),
            Statement::NoneBefore => (2, None),
        };
        let mut bytes = vec![FORMAT, kind];
        let Some(binding) = binding else { return bytes };
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
        bytes
    }

    /// Reads what [`Statement::to_bytes`] writes, and nothing else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Statement, Malformed> {
        let mut rest = Rest(bytes);
        if rest.byte()? != FORMAT {
            return Err(Malformed("it is of another format"));
        }
        let kind = rest.byte()?;
        if kind == 2 {
            return if rest.0.is_empty() {
                Ok(Statement::NoneBefore)
            } else {
                Err(Malformed("there is more than it says"))
            };
        }
        let flags = rest.byte()?;
        if kind > 2 || flags & !(DIRECT | INSTANCE | REG_ID) != 0 {
            return Err(Malformed("its kind or flags are not known here"));
        }
        let media = match rest.byte()? {
            0 => Media::Plain,
            1 => Media::WebRtc,
            2 => Media::Both,
            _ => return Err(Malformed("its media are not known here")),
        };
        let q = u16::from_be_bytes(rest.array()?);
        let reg_id = u32::from_be_bytes(rest.array()?);
        let ip = Ipv6Addr::from(rest.array::<16>()?).to_canonical();
        let owner = SocketAddr::new(ip, u16::from_be_bytes(rest.array()?));
        let contact = rest.text(CONTACT_MAX)?;
        let instance = rest.text(INSTANCE_MAX)?;
        let path = rest.text(PATH_MAX)?;
        let token = rest.text(TOKEN_MAX)?;
        let is_canonical = rest.0.is_empty()
            && q <= 1000
            && (flags & INSTANCE != 0 || instance.is_empty())
            && (flags & REG_ID != 0 || reg_id == 0);
        if !is_canonical {
            return Err(Malformed("it is not written as it has to be"));
        }
        if !Uri::parse(contact).is_ok_and(|uri| uri.is_sip()) {
            return Err(Malformed("its contact is no address of SIP"));
        }
        let binding = Binding {
            contact: contact.into(),
            instance: (flags & INSTANCE != 0).then(|| instance.into()),
            reg_id: (flags & REG_ID != 0).then_some(reg_id),
            q,
            owner,
            token: token.into(),
            direct: flags & DIRECT != 0,
            path: path.into(),
            media,
        };
        Ok(if kind == 0 { Statement::At(binding) } else { Statement::Over(binding) })
    }

    /// Which of its author's statements about the address of record it takes the place of: those about
    /// the same flow of the same device, or the same Contact.
    pub(super) fn slot(&self) -> Slot {
        let (Statement::At(binding) | Statement::Over(binding)) = self else { return Slot::ZERO };
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
        let mut slot = [0; Slot::LEN];
        slot.copy_from_slice(&hasher.finalize().as_bytes()[..Slot::LEN]);
        Slot::new(slot)
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
        let with = |instance: Option<&str>, reg_id, owner: &str| Binding {
            instance: instance.map(Into::into),
            reg_id,
            owner: owner.parse().unwrap(),
            ..samples::binding("sip:anna@192.0.2.9:5062;transport=udp")
        };
        for statement in [
            Statement::NoneBefore,
            Statement::At(with(None, None, "192.0.2.1:5060")),
            Statement::At(with(Some("urn:uuid:1"), Some(1), "[2001:db8::1]:5060")),
            Statement::Over(with(Some(""), None, "192.0.2.1:5060")),
            Statement::At(Binding {
                media: Media::WebRtc,
                direct: false,
                ..with(None, None, "[::1]:1")
            }),
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
        let statement = Statement::At(binding);
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
            let binding = samples::binding(contact);
            assert!(Statement::from_bytes(&Statement::At(binding).to_bytes()).is_err());
        }
        let long = samples::binding(&format!("sip:{}@h", "a".repeat(CONTACT_MAX)));
        assert!(Statement::from_bytes(&Statement::At(long).to_bytes()).is_err());
    }

    #[test]
    fn a_slot_is_that_of_the_device_s_flow_or_of_the_contact() {
        let slot = |contact: &str, instance: Option<&str>, reg_id| {
            let instance = instance.map(Into::into);
            let binding = Binding { instance, reg_id, ..samples::binding(contact) };
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

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_written_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            flags in 0_u8..8,
        ) {
            let mut made = Statement::At(samples::binding("sip:a@h")).to_bytes();
            made[2] = flags;
            for bytes in [bytes, made] {
                if let Ok(statement) = Statement::from_bytes(&bytes) {
                    prop_assert_eq!(statement.to_bytes(), bytes);
                }
            }
        }
    }
}
