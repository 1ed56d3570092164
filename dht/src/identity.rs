//! The node's Ed25519 key, kept in its data directory so that it comes back as the same node.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base::SigningKey;
use libp2p_identity::{KeyType, Keypair};

use crate::OpenError;

/// The key's file: libp2p's protobuf encoding of a private key, readable by its owner only.
const FILE: &str = "identity";

/// Reads the node's key, or makes and keeps a new one.
///
/// A directory that was in use has one: to make another would make it another node's.
pub(crate) fn load_or_create(dir: &Path, in_use: bool) -> Result<Keypair, OpenError> {
    let path = dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => Keypair::from_protobuf_encoding(&bytes)
            .ok()
            .filter(|keypair| keypair.key_type() == KeyType::Ed25519)
            .ok_or_else(|| {
                let detail = "it holds no private Ed25519 key".to_owned();
                OpenError::Corrupt { path, detail }
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && in_use => {
            let detail = "it is missing, although the data directory was in use".to_owned();
            Err(OpenError::Corrupt { path, detail })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(&path).map_err(|error| OpenError::Unusable { path, error })
        }
        Err(error) => Err(OpenError::Unusable { path, error }),
    }
}

/// The same key as what the node signs with.
pub(crate) fn signing_key(keypair: &Keypair) -> SigningKey {
    let key = keypair.clone().try_into_ed25519().expect("a node's key is an Ed25519 key");
    let secret = key.secret();
    SigningKey::from_bytes(&std::array::from_fn(|at| secret.as_ref()[at]))
}

fn create(path: &Path) -> io::Result<Keypair> {
    let keypair = Keypair::generate_ed25519();
    let bytes = keypair.to_protobuf_encoding().map_err(io::Error::other)?;
    // Written aside and renamed: a crash leaves no half a key behind.
    let aside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    Ok(keypair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_back_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path(), false).unwrap().public();
        assert_eq!(load_or_create(dir.path(), false).unwrap().public(), first);
    }

    #[test]
    fn a_damaged_key_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"not a key").unwrap();
        let error = load_or_create(dir.path(), false).unwrap_err().to_string();
        assert!(error.contains("identity is damaged"), "{error}");
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), b"not a key");
    }

    #[test]
    fn a_lost_key_is_an_error_not_another_node() {
        let dir = tempfile::tempdir().unwrap();
        let error = load_or_create(dir.path(), true).unwrap_err().to_string();
        assert!(error.contains("it is missing"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), false).unwrap();
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
