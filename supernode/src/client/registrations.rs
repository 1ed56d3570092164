//! Who is registered at a node, as `supernode registrations` shows it.

use serde::{Deserialize, Serialize};

use super::error::{ClientError, NotANode};
use super::http::{self, Server};

/// What a node answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registrations {
    pub(super) registrations: Vec<Registration>,
}

/// One phone of somebody.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    pub(super) user: String,
    pub(super) contact: String,
    pub(super) instance: Option<String>,
    pub(super) direct: bool,
    pub(super) expires_s: u64,
}

/// All of a node's.
pub(super) async fn all(server: &Server) -> Result<Registrations, ClientError> {
    let body = http::get(server, "/api/v1/registrations").await?;
    serde_json::from_slice(&body).map_err(|_| ClientError::NotANode {
        node: server.node.clone(),
        what: NotANode::Unexpected("a list of registrations"),
    })
}

/// A line each: who, where, for how long.
pub(super) fn lines(found: &Registrations) -> String {
    let all = &found.registrations;
    let width = |of: fn(&Registration) -> &str| {
        all.iter().map(|one| of(one).chars().count()).max().unwrap_or(0)
    };
    let (users, contacts) = (width(|one| &one.user), width(|one| &one.contact));
    let line = |one: &Registration| {
        let way = if one.direct { "direct" } else { "by this super-node" };
        let Registration { user, contact, expires_s, .. } = one;
        format!("{user:users$}  {contact:contacts$}  {expires_s:>3} s  {way}\n")
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_line_in_columns() {
        let one = |user: &str, contact: &str, direct| Registration {
            user: user.into(),
            contact: contact.into(),
            instance: None,
            direct,
            expires_s: 61,
        };
        let registrations =
            vec![one("anna", "sip:a@192.0.2.7", true), one("bob", "sip:b@x.invalid", false)];
        let expected = "anna  sip:a@192.0.2.7   61 s  direct\n\
                        bob   sip:b@x.invalid   61 s  by this super-node\n";
        assert_eq!(lines(&Registrations { registrations }), expected);
    }
}
