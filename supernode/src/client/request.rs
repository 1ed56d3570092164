//! From a command's arguments to a request that keeps the limits every super-node holds to.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base::limits::{SECRET_MAX, VALUE_MAX};
use base::{Key, Name, Secret, ServiceId, Ttl, Value};

use crate::cli::{ClientCommand, SecretArgs};
use crate::services::Contact;

use super::error::ClientError;
use super::person::name;

/// What is asked of a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Put { key: Key, value: Value, secret: Option<Secret>, ttl: Option<Ttl> },
    Get { key: Key, max: Option<u32> },
    Remove { key: Key, value: Value, secret: Option<Secret> },
    Services,
    Lookup { service: ServiceId, max: Option<u32> },
    Advertise { service: ServiceId, contact: Contact, ttl: Option<Ttl> },
    Withdraw { service: ServiceId, contact: Contact },
    Name { name: Name },
    Registrations,
    Status,
}

impl Request {
    /// Reads a command's arguments, and what they refer to: a secret's file, standard input.
    pub(super) fn read(
        command: &ClientCommand,
        stdin: &mut impl Read,
    ) -> Result<Request, ClientError> {
        Ok(match command {
            ClientCommand::Put(put) => Request::Put {
                key: key(&put.key, put.service.as_deref())?,
                secret: secret(&put.secret)?,
                value: value(&put.value, stdin)?,
                ttl: put.ttl,
            },
            ClientCommand::Get(get) => {
                Request::Get { key: key(&get.key, get.service.as_deref())?, max: get.max }
            }
            ClientCommand::Rm(rm) => Request::Remove {
                key: key(&rm.key, rm.service.as_deref())?,
                secret: secret(&rm.secret)?,
                value: value(&rm.value, stdin)?,
            },
            ClientCommand::Services(services) => match &services.service {
                None => Request::Services,
                Some(id) => Request::Lookup { service: service(id)?, max: services.max },
            },
            ClientCommand::Advertise(advertise) => Request::Advertise {
                service: service(&advertise.service)?,
                contact: contact(&advertise.contact)?,
                ttl: advertise.ttl,
            },
            ClientCommand::Withdraw(withdraw) => Request::Withdraw {
                service: service(&withdraw.service)?,
                contact: contact(&withdraw.contact)?,
            },
            ClientCommand::Names(names) => Request::Name { name: name(&names.name)? },
            // These read more than arguments: see `names` and `phones`.
            ClientCommand::Claim(claim) => Request::Name { name: name(&claim.name)? },
            ClientCommand::PhonePassword(args) => Request::Name { name: name(&args.name)? },
            ClientCommand::Registrations(_) => Request::Registrations,
            ClientCommand::Status(_) => Request::Status,
        })
    }
}

/// A key, of a service if one is named.
fn key(argument: &OsStr, of: Option<&OsStr>) -> Result<Key, ClientError> {
    let bytes = argument.as_encoded_bytes().to_vec();
    Ok(match of {
        None => Key::new(bytes)?,
        Some(of) => Key::in_service(&service(of)?, bytes)?,
    })
}

fn service(argument: &OsStr) -> Result<ServiceId, ClientError> {
    Ok(ServiceId::from_bytes(argument.as_encoded_bytes())?)
}

fn contact(argument: &OsStr) -> Result<Contact, ClientError> {
    Ok(Contact::from_bytes(argument.as_encoded_bytes())?)
}

/// The argument's bytes, or for `-` those of standard input.
fn value(argument: &OsStr, stdin: &mut impl Read) -> Result<Value, ClientError> {
    if argument != "-" {
        return Ok(Value::new(argument.as_encoded_bytes().to_vec())?);
    }
    let bytes = bounded(stdin, VALUE_MAX + 1).map_err(ClientError::StandardInput)?;
    Ok(Value::new(bytes)?)
}

fn secret(arguments: &SecretArgs) -> Result<Option<Secret>, ClientError> {
    let bytes = match (&arguments.secret, &arguments.secret_file) {
        (Some(secret), _) => secret.as_encoded_bytes().to_vec(),
        (None, Some(path)) => secret_file(path)
            .map_err(|cause| ClientError::SecretFile { path: path.clone(), cause })?,
        (None, None) => return Ok(None),
    };
    if bytes.is_empty() {
        return Err(ClientError::EmptySecret);
    }
    Ok(Some(Secret::new(bytes)?))
}

/// A file's content without the line break that editors put at its end.
fn secret_file(path: &Path) -> io::Result<Vec<u8>> {
    const LINE_BREAK: &[u8] = b"\r\n";
    let mut bytes = bounded(&mut File::open(path)?, SECRET_MAX + LINE_BREAK.len() + 1)?;
    if bytes.ends_with(b"\n") {
        let end = if bytes.ends_with(LINE_BREAK) { LINE_BREAK.len() } else { 1 };
        bytes.truncate(bytes.len() - end);
    }
    Ok(bytes)
}

/// At most `most` bytes, so that a stream without end is found too large instead of filling memory.
fn bounded(from: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};

    use super::*;

    fn read(words: &[&str], stdin: &[u8]) -> Result<Request, String> {
        let words = std::iter::once("supernode").chain(words.iter().copied());
        let Some(Command::Client(command)) = Cli::read(words).unwrap().command else {
            panic!("not a client command");
        };
        Request::read(&command, &mut &*stdin).map_err(|error| error.to_string())
    }

    fn put(value: &'static [u8], secret: Option<&'static str>) -> Result<Request, String> {
        Ok(Request::Put {
            key: Key::new("k").unwrap(),
            value: Value::new(value).unwrap(),
            secret: secret.map(|secret| Secret::new(secret).unwrap()),
            ttl: None,
        })
    }

    #[test]
    fn a_value_is_its_argument_or_standard_input() {
        assert_eq!(read(&["put", "k", "v"], b"unread"), put(b"v", None));
        assert_eq!(read(&["put", "k", ""], b"unread"), put(b"", None));
        assert_eq!(read(&["put", "k", "-"], b"\xff\0\n"), put(b"\xff\0\n", None));
        assert_eq!(read(&["put", "k", "-"], b""), put(b"", None));
    }

    #[test]
    fn a_secret_file_loses_one_line_break_at_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (content, secret) in
            [("s3", "s3"), ("s3\n", "s3"), ("s3\r\n", "s3"), ("s3\n\n", "s3\n"), (" s3 ", " s3 ")]
        {
            std::fs::write(path, content).unwrap();
            let read = read(&["put", "k", "v", "--secret-file", path], b"");
            assert_eq!(read, put(b"v", Some(secret)), "{content:?}");
        }
        assert_eq!(read(&["put", "k", "v", "--secret", "s3"], b""), put(b"v", Some("s3")));
    }

    #[test]
    fn what_no_node_would_take_is_refused_here() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let secret_from = |content: &[u8]| {
            std::fs::write(path, content).unwrap();
            read(&["rm", "k", "v", "--secret-file", path], b"").unwrap_err()
        };
        let empty = "the secret is empty and would protect nothing";
        assert_eq!(secret_from(b""), empty);
        assert_eq!(secret_from(b"\n"), empty);
        assert_eq!(read(&["rm", "k", "v", "--secret", ""], b"").unwrap_err(), empty);
        assert_eq!(secret_from(&[b'x'; 41]), "the secret has 41 bytes; the limit is 40");
        let long = "x".repeat(1025);
        assert_eq!(
            read(&["get", &long], b"").unwrap_err(),
            "the key has 1025 bytes; the limit is 1024"
        );
        assert_eq!(
            read(&["put", "k", "-"], &[0; VALUE_MAX + 1]).unwrap_err(),
            "the value has 65537 bytes; the limit is 65536"
        );
        for (words, text) in [
            (&["services", ""][..], "the Service-ID is empty; give one like P2PSIP"),
            (&["services", &"x".repeat(65)], "the Service-ID has 65 bytes; the limit is 64"),
            (&["get", "k", "--service", "a b"], "the Service-ID has the character U+0020"),
            (&["put", "k", "v", "--service", "P2P\u{421}IP"], "the Service-ID mixes letters"),
            (&["advertise", "P2PSIP", "laptop"], "the contact is not HOST:PORT"),
            (&["withdraw", "P2PSIP", "laptop:0"], "the contact's port is not a number"),
        ] {
            let error = read(words, b"").unwrap_err();
            assert!(error.starts_with(text), "{error}");
        }
        let missing = read(&["rm", "k", "v", "--secret-file", "/nonexistent/s"], b"").unwrap_err();
        assert!(
            missing.starts_with("the secret file /nonexistent/s cannot be read: "),
            "{missing}"
        );
    }
}
