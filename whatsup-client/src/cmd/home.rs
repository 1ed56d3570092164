//! [`Home`]: the folder where a person's key is kept, readable by its owner only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::{Name, PublicKey, SigningKey};
use zeroize::Zeroizing;

use super::error::CommandError;
use crate::private::Device;

/// The file with the name, and the key that signs for it.
const PERSON: &str = "person";
/// The file with the number that tells this device from the person's others.
const DEVICE: &str = "device";
/// What is read of a file, in bytes: more is no such file.
const READ_MAX: u64 = 1024;

/// The folder where a person's key is kept. It is made when something is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

/// Who is logged in.
#[derive(Debug)]
pub struct Person {
    /// The name.
    pub name: Name,
    /// What signs for it.
    pub key: SigningKey,
    /// Whether the key is random, and in no other place.
    pub is_guest: bool,
    /// Until when the name is certainly claimed, in milliseconds since 1970 by this machine's clock.
    pub claimed_until_ms: u64,
}

impl Home {
    /// This folder.
    pub fn new(folder: impl Into<PathBuf>) -> Home {
        Home(folder.into())
    }

    /// The folder for data that programs keep (XDG Base Directory Specification): `$XDG_DATA_HOME/whatsup`,
    /// or `~/.local/share/whatsup`.
    ///
    /// # Errors
    /// A usage error if there is no home directory.
    pub fn of_user() -> Result<Home, CommandError> {
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        let data = data.filter(|data| data.is_absolute());
        let home = || std::env::home_dir().map(|home| home.join(".local/share"));
        match data.or_else(home) {
            Some(data) => Ok(Home(data.join("whatsup"))),
            None => Err(CommandError::Usage(
                "there is no home directory to keep your key in; name a folder with --home DIR"
                    .to_owned(),
            )),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Who is logged in, if anybody.
    ///
    /// # Errors
    /// [`CommandError::File`]; that others can read the key, or that the file is not one of these.
    pub fn person(&self) -> Result<Option<Person>, CommandError> {
        let path = self.0.join(PERSON);
        let failed = |cause| CommandError::File { path: path.clone(), cause };
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 > 0 {
            let path = path.display();
            return Err(CommandError::Machine(format!(
                "{path} can be read by others, and your key with it; if nobody has, chmod 600 it, else log in with another passphrase"
            )));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(READ_MAX).read_to_string(&mut text).map_err(failed)?;
        match read(&text) {
            Some(person) => Ok(Some(person)),
            None => Err(CommandError::Machine(format!(
                "{} is not what whatsup wrote there; remove it and log in again",
                path.display()
            ))),
        }
    }

    /// Keeps who is logged in. Only the key is kept, never a passphrase.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn keep(&self, person: &Person) -> Result<(), CommandError> {
        let mut text = Zeroizing::new(format!("name {}\nkey ", person.name));
        for byte in person.key.to_bytes().iter() {
            text.push_str(&format!("{byte:02x}"));
        }
        let made = if person.is_guest { "random" } else { "passphrase" };
        text.push_str(&format!("\nmade-of {made}\nclaimed-until-ms {}\n", person.claimed_until_ms));
        self.write(PERSON, text.as_bytes())
    }

    /// Forgets who is logged in; whether anybody was.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn forget(&self) -> Result<bool, CommandError> {
        let path = self.0.join(PERSON);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(CommandError::File { path, cause }),
        }
    }

    /// The number that tells this device from the person's others, if it has one yet.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn device(&self) -> Result<Option<Device>, CommandError> {
        let path = self.0.join(DEVICE);
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes.try_into().ok().map(Device)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(CommandError::File { path, cause }),
        }
    }

    /// Keeps that number. Only changes made at one time on two devices with one number would be lost.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn keep_device(&self, device: Device) -> Result<(), CommandError> {
        self.write(DEVICE, &device.0)
    }

    /// A file that [`Home::write`] wrote, of at most `max` bytes; nothing if there is none.
    ///
    /// # Errors
    /// [`CommandError::File`]; that there is more.
    pub fn read(&self, file: &str, max: u64) -> Result<Option<Vec<u8>>, CommandError> {
        let path = self.0.join(file);
        let failed = |cause| CommandError::File { path: path.clone(), cause };
        let opened = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        opened.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > max {
            let path = path.display();
            return Err(CommandError::Machine(format!("{path} is not what whatsup wrote there")));
        }
        Ok(Some(bytes))
    }

    /// Keeps all other commands from a file until what is given is dropped; nothing if one of them does so now.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn lock(&self, file: &str) -> Result<Option<File>, CommandError> {
        let path = self.0.join(format!("{file}.lock"));
        let failed = |cause| CommandError::File { path: path.clone(), cause };
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let opened = opened.map_err(failed)?;
        match opened.try_lock() {
            Ok(()) => Ok(Some(opened)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Writes a file that its owner alone can read, whole or not at all.
    ///
    /// # Errors
    /// [`CommandError::File`].
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), CommandError> {
        let path = self.0.join(file);
        let new = self.0.join(format!("{file}.{}.new", std::process::id()));
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            let mut options = OpenOptions::new();
            let mut opened =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            opened.write_all(bytes)?;
            opened.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|cause| CommandError::File { path: path.clone(), cause })
    }
}

fn read(text: &str) -> Option<Person> {
    let mut lines = text.lines();
    let name = Name::new(lines.next()?.strip_prefix("name ")?).ok()?;
    // A seed is written as a public key is.
    let seed: PublicKey = lines.next()?.strip_prefix("key ")?.parse().ok()?;
    let key = SigningKey::from_bytes(&Zeroizing::new(*seed.as_bytes()));
    let is_guest = match lines.next()?.strip_prefix("made-of ")? {
        "random" => true,
        "passphrase" => false,
        _ => return None,
    };
    let until = lines.next()?.strip_prefix("claimed-until-ms ")?;
    Some(Person { name, key, is_guest, claimed_until_ms: until.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_kept_for_its_owner_alone_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("a/b"));
        assert!(home.person().unwrap().is_none());
        assert!(!home.forget().unwrap());
        let name = Name::new("zoë").unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        let person =
            Person { name: name.clone(), key: key.clone(), is_guest: true, claimed_until_ms: 5 };
        home.keep(&person).unwrap();
        let kept = home.person().unwrap().unwrap();
        assert_eq!((&kept.name, kept.is_guest, kept.claimed_until_ms), (&name, true, 5));
        assert_eq!(kept.key.public(), key.public());
        let path = home.folder().join(PERSON);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.folder()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(home.folder()).unwrap().count(), 1, "nothing else is left");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(home.person().unwrap_err().to_string().contains("chmod 600"));
        fs::remove_file(&path).unwrap();
        home.write(PERSON, b"name x\n").unwrap();
        assert!(home.person().unwrap_err().to_string().contains("log in again"));
        assert!(home.forget().unwrap());
        assert!(home.person().unwrap().is_none());
    }
}
