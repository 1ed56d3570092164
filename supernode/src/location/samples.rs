//! Bindings for tests.

use p2psip::location::{Binding, Media};

/// One at a Contact.
pub(super) fn binding(contact: &str) -> Binding {
    Binding {
        contact: contact.into(),
        instance: None,
        reg_id: None,
        q: 1000,
        owner: ([192, 0, 2, 1], 5060).into(),
        token: "75c0000207c350".into(),
        direct: true,
        path: "".into(),
        media: Media::Plain,
    }
}
