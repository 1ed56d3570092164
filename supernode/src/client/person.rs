//! The key a person claims a name with: of a passphrase, or in a file. It never leaves this process. And
//! what is needed to sign with it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base::{Name, Passphrase, Sequence, SigningKey, person_key};
use zeroize::Zeroizing;

use super::error::ClientError;
use crate::random;

/// The variable that holds a name's passphrase.
pub(super) const VARIABLE: &str = "SUPERNODE_NAME_PASSPHRASE";
/// What is read of a file or of standard input, in bytes: more is no passphrase and no key.
const READ_MAX: u64 = 1024;

/// A key, and how it came to be. Neither shows in logs.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) key: SigningKey,
    /// The passphrase that was made for it, to be shown once.
    pub(super) made: Option<Passphrase>,
}

/// Where a key is.
pub(super) enum Source<'a> {
    /// In a file; made there if there is none and it `may_be_made`.
    KeyFile { path: &'a Path, may_be_made: bool },
    /// Of the passphrase in a file, or on standard input for `-`.
    PassphraseFile(&'a Path),
    /// Of the passphrase in the environment.
    Variable(OsString),
    /// Of one that is made now.
    New,
}

impl<'a> Source<'a> {
    /// Where arguments and the environment say it is: what is named first here counts.
    pub(super) fn of(
        key_file: Option<&'a Path>,
        may_be_made: bool,
        passphrase_file: Option<&'a Path>,
        variable: Option<OsString>,
    ) -> Source<'a> {
        let variable = variable.filter(|value| !value.is_empty());
        match (key_file, passphrase_file, variable) {
            (Some(path), ..) => Source::KeyFile { path, may_be_made },
            (None, Some(path), _) => Source::PassphraseFile(path),
            (None, None, Some(value)) => Source::Variable(value),
            (None, None, None) => Source::New,
        }
    }

    /// Reads or makes the key. Of a passphrase it takes a good part of a second.
    pub(super) fn key(self, name: &Name, stdin: &mut impl Read) -> Result<Person, ClientError> {
        let typed = |text: &str| Passphrase::typed(text, name, true).map_err(ClientError::Weak);
        let (passphrase, made) = match self {
            Source::KeyFile { path, may_be_made } => {
                let key = key_file(path, may_be_made)?;
                return Ok(Person { key, made: None });
            }
            Source::PassphraseFile(path) => (typed(&read(path, stdin)?)?, None),
            Source::Variable(value) => {
                let text =
                    value.into_string().map_err(|_| ClientError::NotText(VARIABLE.into()))?;
                (typed(&text)?, None)
            }
            Source::New => {
                let entropy = random::bytes().map_err(ClientError::NoRandomness)?;
                let made = Passphrase::generate(&entropy);
                (made.clone(), Some(made))
            }
        };
        Ok(Person { key: person_key(name, &passphrase)?, made })
    }
}

/// A name as an argument.
pub(super) fn name(argument: &OsStr) -> Result<Name, ClientError> {
    Ok(Name::from_bytes(argument.as_encoded_bytes())?)
}

/// A sequence to sign with: one that grows from time to time, on one device or several, as long as their
/// clocks are right. Where they are not, the node names a higher one.
pub(super) fn sequence(at_least: u64) -> Sequence {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Sequence::new(at_least.max(u64::try_from(since.as_millis()).unwrap_or(0)))
}

fn read(path: &Path, stdin: &mut impl Read) -> Result<Zeroizing<String>, ClientError> {
    let mut text = Zeroizing::new(String::new());
    let read = if path.as_os_str() == "-" {
        stdin.take(READ_MAX).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(READ_MAX).read_to_string(&mut text))
    };
    read.map_err(|cause| ClientError::PersonFile { path: path.to_owned(), cause })?;
    Ok(text)
}

/// A key's file holds its seed: 64 hexadecimal digits and a line break.
fn key_file(path: &Path, may_be_made: bool) -> Result<SigningKey, ClientError> {
    let failed = |cause| ClientError::PersonFile { path: path.to_owned(), cause };
    let mut text = Zeroizing::new(String::new());
    match File::open(path) {
        Ok(file) => {
            file.take(READ_MAX).read_to_string(&mut text).map_err(failed)?;
            let seed = seed(text.trim()).ok_or_else(|| ClientError::NotAKeyFile(path.into()))?;
            Ok(SigningKey::from_bytes(&seed))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_be_made => {
            let seed: [u8; SigningKey::LEN] = random::bytes().map_err(ClientError::NoRandomness)?;
            let seed = Zeroizing::new(seed);
            let key = SigningKey::from_bytes(&seed);
            for byte in seed.iter() {
                // Writing to a text does not fail.
                let _ = fmt::Write::write_fmt(&mut *text, format_args!("{byte:02x}"));
            }
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(path);
            let mut file = file.map_err(failed)?;
            writeln!(file, "{}", *text).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn seed(text: &str) -> Option<Zeroizing<[u8; SigningKey::LEN]>> {
    let digits = text.as_bytes();
    if digits.len() != 2 * SigningKey::LEN {
        return None;
    }
    let mut seed = Zeroizing::new([0; SigningKey::LEN]);
    for (byte, pair) in seed.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(source: Source<'_>, stdin: &str) -> Result<Person, String> {
        let name = Name::new("alice").unwrap();
        source.key(&name, &mut stdin.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_and_read_from_then_on() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.key");
        let source = |may_be_made| Source::KeyFile { path: &path, may_be_made };
        assert!(key_of(source(false), "").unwrap_err().contains("cannot be read"));
        let made = key_of(source(true), "").unwrap();
        let again = key_of(source(false), "").unwrap();
        assert_eq!(made.key.public(), again.key.public());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "not a key").unwrap();
        assert!(key_of(source(true), "").unwrap_err().contains("holds no key"));
    }

    #[test]
    fn a_passphrase_makes_the_same_key_wherever_it_is_read_from() {
        let made = key_of(Source::New, "").unwrap();
        let text = made.made.unwrap();
        let dash = Path::new("-");
        let typed = key_of(Source::PassphraseFile(dash), &format!("{}\n", text.as_str()));
        assert_eq!(typed.unwrap().key.public(), made.key.public());
        let variable = key_of(Source::Variable(text.as_str().to_uppercase().into()), "");
        assert_eq!(variable.unwrap().key.public(), made.key.public());
        let weak = key_of(Source::PassphraseFile(dash), "password1\n").err().unwrap();
        assert!(weak.contains("too easy to guess"), "{weak}");
    }
}
