//! What is printed of names.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{duration, harmless};
use crate::client::names::{Claimant, Claimants, Outcome, State};
use crate::client::phones::Renewal;

/// A line for each claimant: the name as it is shown, how it stands, the key's fingerprint, for how long.
pub(super) fn lines(claimants: &Claimants) -> String {
    let mut lines = String::new();
    if let Some(holder) = &claimants.holder {
        lines += &line(holder.claim.name.as_str(), "has it", holder);
    }
    let state = if claimants.holder.is_some() { "lost" } else { "pending" };
    for other in &claimants.others {
        lines += &line(&other.claim.name.with_tag(&other.key), state, other);
    }
    lines
}

fn line(shown: &str, state: &str, claimant: &Claimant) -> String {
    let held = duration(u64::try_from(claimant.held_s).unwrap_or(0));
    format!("{shown:<16}  {state:<7}  {}  for {held}\n", claimant.key.fingerprint())
}

/// The same for programs.
pub(super) fn as_json(claimants: &Claimants) -> Json {
    let others: Vec<Json> = claimants.others.iter().map(claimant).collect();
    json!({
        "name": claimants.name.as_str(),
        "holder": claimants.holder.as_ref().map(claimant),
        "others": others,
    })
}

fn claimant(claimant: &Claimant) -> Json {
    json!({
        "name": claimant.claim.name.as_str(),
        "tagged": claimant.claim.name.with_tag(&claimant.key),
        "key": claimant.key.to_string(),
        "fingerprint": claimant.key.fingerprint().to_string(),
        "held_s": claimant.held_s,
    })
}

/// What came of a claim, on standard output and on standard error.
pub(super) fn outcome(outcome: &Outcome) -> (String, String) {
    let name = &outcome.name;
    match &outcome.state {
        State::Confirmed => {
            let key = outcome.key.map(|key| format!(", key {}", key.fingerprint()));
            let (key, ttl) = (key.unwrap_or_default(), duration(outcome.ttl.as_secs()));
            let text = format!("{name} is yours{key}; claim it again within {ttl}\n");
            match &outcome.phone {
                Renewal::None => (text, String::new()),
                Renewal::Renewed => (text + "its phone password goes on\n", String::new()),
                Renewal::Lost => {
                    let lost = format!(
                        "its phone password was the old key's: make another with supernode phone-password {name}\n"
                    );
                    (text, lost)
                }
                Renewal::Failed(why) => {
                    let failed = format!(
                        "its phone password was not renewed ({}): claim it again soon\n",
                        harmless(why)
                    );
                    (text, failed)
                }
            }
        }
        State::Withdrawn => ("withdrawn\n".into(), String::new()),
        State::Pending => {
            let text = format!("not decided yet; look again with: supernode names {name}\n");
            (String::new(), text)
        }
        State::Lost(by) => {
            let mut text = format!("{name} is taken");
            if let Some(by) = by {
                let held = duration(u64::try_from(by.held_s).unwrap_or(0));
                let _ =
                    write!(text, " by {}, key {}, for {held}", by.claim.name, by.key.fingerprint());
            }
            text += "\nif that is you, give its passphrase or key file; else choose another name\n";
            (String::new(), text)
        }
    }
}

/// The same for programs.
pub(super) fn outcome_as_json(outcome: &Outcome) -> Json {
    let state = match outcome.state {
        State::Confirmed => "confirmed",
        State::Pending => "pending",
        State::Lost(_) => "lost",
        State::Withdrawn => "withdrawn",
    };
    let mut json = json!({
        "name": outcome.name.as_str(),
        "state": state,
        "key": outcome.key.map(|key| key.to_string()),
        "fingerprint": outcome.key.map(|key| key.fingerprint().to_string()),
    });
    if let State::Lost(Some(by)) = &outcome.state {
        json["holder"] = claimant(by);
    }
    let phone = match &outcome.phone {
        Renewal::None => None,
        Renewal::Renewed => Some("renewed"),
        Renewal::Lost => Some("lost"),
        Renewal::Failed(_) => Some("failed"),
    };
    if let Some(phone) = phone {
        json["phone_password"] = phone.into();
    }
    if let Some(passphrase) = &outcome.passphrase {
        json["passphrase"] = passphrase.as_str().into();
    }
    json
}

/// Whether all is as it was asked for.
pub(super) fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome.state, State::Confirmed | State::Withdrawn)
}
