//! Who is registered at this node, as JSON has it: for this machine only, since it says where clients are.

use serde::Serialize;

use crate::state::AppState;

/// The answer of `GET /api/v1/registrations`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Registrations {
    /// Each binding that was accepted here and is not over, by user.
    pub registrations: Vec<Registration>,
}

/// A binding.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Registration {
    /// The user's name, as it is looked up: `anna` of `sip:anna@scope`.
    pub user: String,
    /// Where the phone says it is.
    pub contact: String,
    /// Which device it is, if it says so.
    pub instance: Option<String>,
    /// Whether others reach it without this node.
    pub direct: bool,
    /// Seconds until it is over, unless the phone registers again.
    pub expires_s: u64,
}

/// What was accepted here.
pub fn registrations(state: &AppState) -> Registrations {
    let all = state.sip.locations().registrations();
    let registrations = all.into_iter().map(|one| Registration {
        user: one.aor.to_string(),
        contact: one.binding.contact.clone().into(),
        instance: one.binding.instance.clone().map(Into::into),
        direct: one.binding.direct,
        expires_s: one.remaining.as_secs(),
    });
    Registrations { registrations: registrations.collect() }
}
