//! What can be wrong with a configuration, said so that it can be put right.

use std::io;
use std::path::PathBuf;

use crate::passphrase::{NotAPassphrase, VARIABLE};

/// A configuration the daemon does not start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable holds what its option does not take.
    #[error("{name} is {value}; {expected}")]
    BadVariable {
        /// The variable.
        name: String,
        /// Its value, shortened and in quotes.
        value: String,
        /// What the option takes.
        expected: String,
    },

    /// The file `--config` or `SUPERNODE_CONFIG` names cannot be read.
    #[error("the configuration file {} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// The file is not TOML.
    #[error("{}, line {line}: this is not TOML: {message}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },

    /// The file has a key that is no option.
    #[error("{}, line {line}: unknown key `{key}`; {}", path.display(), advice(nearest, known))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
        /// Every key there is.
        known: String,
    },

    /// A key holds what its option does not take.
    #[error("{}, line {line}: `{key}` is {value}; {expected}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// Its value, shortened.
        value: String,
        /// What the option takes.
        expected: String,
    },

    /// One layer says both where to keep what is stored and not to keep it.
    #[error("{data} and {ephemeral} are both set; keep one of them")]
    TwoStores {
        /// What sets the directory.
        data: String,
        /// What sets the other.
        ephemeral: String,
    },

    /// A passphrase's file cannot be read.
    #[error("the passphrase file {} cannot be read: {cause}", path.display())]
    PassphraseUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// What is to be a passphrase cannot be one.
    #[error("{origin} {cause}")]
    NotAPassphrase {
        /// The variable or the file, as people call it.
        origin: String,
        /// Why.
        cause: NotAPassphrase,
    },

    /// The environment gives two passphrases.
    #[error("{VARIABLE} and {file} are both set; keep one of them")]
    TwoPassphrases {
        /// The variable that names a file.
        file: String,
    },

    /// Nothing says where to keep what is stored.
    #[error(
        "there is no directory for the data, since neither XDG_DATA_HOME nor HOME is set to an absolute path; \
        give one with --data DIR, or keep nothing with --ephemeral"
    )]
    NoHome,
}

/// Something that is probably a mistake, but that the daemon starts with. To be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A variable that looks like an option's and is not.
    #[error("{name} is set but is not an option{}", nearest.as_ref().map_or_else(
        || "; it is ignored".into(), |nearest| format!(", did you mean {nearest}?")))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variable that was probably meant.
        nearest: Option<String>,
    },
    /// A passphrase that is no secret on this machine.
    #[error("other users of this machine may read the passphrase file {}; chmod 600 keeps them out", path.display())]
    OpenPassphraseFile {
        /// The file.
        path: PathBuf,
    },
}

fn advice(nearest: &Option<String>, known: &str) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the keys are {known}"),
    }
}
