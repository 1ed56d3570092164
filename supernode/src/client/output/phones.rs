//! What is printed of phone passwords.

use serde_json::{Value as Json, json};

use crate::client::phones::{Done, Outcome};

/// What to type into a softphone, on standard output; on standard error what else is to be said.
pub(super) fn lines(outcome: &Outcome) -> (String, String) {
    let name = &outcome.name;
    match &outcome.done {
        Done::Protected { password, is_new } => {
            let since = if *is_new { "from now on" } else { "as before" };
            let text = format!(
                "{name} is protected {since}; type into a softphone\n\
                 user name  {name}\n\
                 password   {}\n\
                 domain     any super-node's address\n",
                password.as_str()
            );
            (text, String::new())
        }
        Done::Opened => {
            (format!("{name} is open: anybody may telephone under it\n"), String::new())
        }
        Done::WasOpen => (String::new(), format!("{name} has no phone password of this key\n")),
    }
}

/// The same for programs.
pub(super) fn as_json(outcome: &Outcome) -> Json {
    let name = outcome.name.as_str();
    match &outcome.done {
        Done::Protected { password, is_new } => json!({
            "name": name,
            "protected": true,
            "new": is_new,
            "user": name,
            "realm": p2psip::accounts::REALM,
            "password": password.as_str(),
        }),
        Done::Opened => json!({"name": name, "protected": false, "removed": true}),
        Done::WasOpen => json!({"name": name, "protected": false, "removed": false}),
    }
}

/// Whether anything was there to be done.
pub(super) fn is_done(outcome: &Outcome) -> bool {
    outcome.done != Done::WasOpen
}
