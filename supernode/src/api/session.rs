//! Sessions, as JSON has them.

use serde::{Deserialize, Serialize};

/// What `POST /api/v1/session` is asked.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenSession {
    /// The overlay's passphrase.
    pub passphrase: String,
}

/// The answer of `POST /api/v1/session`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Session {
    /// To be sent as `Authorization: Bearer TOKEN`.
    pub token: String,
    /// For how many seconds it is good, or until the node stops.
    pub expires_s: u64,
}
