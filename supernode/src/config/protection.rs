//! Which passphrase the layers come to. A variable may hold it, and each layer may name a file with it;
//! as for every option, the first layer that says anything decides.

use std::ffi::OsStr;
use std::path::Path;

use super::error::{ConfigError, Warning};
use super::layer::Origin;
use super::{Files, Options, Surroundings};
use crate::passphrase::{Passphrase, VARIABLE};

/// The passphrase, if there is to be one.
pub(super) fn passphrase(
    layers: &[(Origin, Options)],
    surroundings: &Surroundings,
    files: &impl Files,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Passphrase>, ConfigError> {
    let variable = surroundings.variables.iter().find(|(name, _)| name == OsStr::new(VARIABLE));
    let variable = variable.map(|(_, value)| value).filter(|value| !value.is_empty());
    for (origin, options) in layers {
        let variable = variable.filter(|_| *origin == Origin::Environment);
        match (variable, &options.passphrase_file) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::TwoPassphrases { file: origin.name("passphrase-file") });
            }
            (Some(value), None) => {
                let read = Passphrase::from_variable(value);
                return read.map(Some).map_err(|cause| ConfigError::NotAPassphrase {
                    origin: VARIABLE.into(),
                    cause,
                });
            }
            (None, Some(path)) => return from_file(path, files, warnings).map(Some),
            (None, None) => {}
        }
    }
    Ok(None)
}

fn from_file(
    path: &Path,
    files: &impl Files,
    warnings: &mut Vec<Warning>,
) -> Result<Passphrase, ConfigError> {
    let file = files
        .passphrase(path)
        .map_err(|cause| ConfigError::PassphraseUnreadable { path: path.into(), cause })?;
    if file.is_open {
        warnings.push(Warning::OpenPassphraseFile { path: path.into() });
    }
    file.passphrase().map_err(|cause| ConfigError::NotAPassphrase {
        origin: format!("the passphrase file {}", path.display()),
        cause,
    })
}
