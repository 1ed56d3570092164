//! `docs/reference/xml-rpc.md`, made from the table of methods.

use std::fmt::Write;

use base::limits::{
    BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX, KEY_MAX, SECRET_MAX, TTL_MAX_S, TTL_MIN_S, VALUE_MAX,
};

use super::fault::FAULTS;
use super::scope::DEFAULT_TTL_S;
use super::{METHODS, REPLY_MAX, REQUEST_MAX};
use crate::config::assert_page;
use crate::xml_guard::NESTING_MAX;

fn page() -> String {
    let mut page = String::from(
        "# XML-RPC\n\n\
         Generated from `supernode/src/rpc/table.rs`; a test keeps it so.\n\n\
         POST to `/` or `/RPC2` on port 5851. Where base64 is said, a string is taken as well; \
         replies use base64. Parameters in brackets may be left out, from the last one on, or be \
         nil.\n\n## Methods\n",
    );
    for method in &METHODS {
        let mut params = String::new();
        for (at, (name, kind)) in method.params.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let bracket = if at == method.required { "[" } else { "" };
            let _ = write!(params, "{bracket}{comma}{name} {kind}");
        }
        let close = if method.required < method.params.len() { "]" } else { "" };
        let _ = write!(
            page,
            "\n### `{}({params}{close}) → {}`\n\n{}\n",
            method.name, method.returns, method.help
        );
    }
    page.push_str("\n## Faults\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in FAULTS {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    page.push_str(
        "\nThe text says what was wrong and with which parameter; it never repeats \
         a key, a value or a secret. \
         A body that does not arrive within 10 s is answered with HTTP status 408, and a browser's \
         request for a page of another site (`Origin` other than `Host`) with 403.\n\n\
         ## When there is too much to do\n\n\
         A node that is busy says so at once, and nothing was done: fault 4, of which the text says \
         to try again; OpenDHT's `put`, `put_removable` and `rm` return 2; both with the header field \
         `Retry-After`. A request whose body there is no memory for is answered with HTTP status 503, \
         and so is a connection above what one address may have. Who has put as many bytes as its \
         address may is told by fault 4 when there is room again; OpenDHT's methods return 1. \
         Programs on the node's own machine may put what they like. \
         [All bounds](../concepts/trust.md#floods).\n\n\
         ## With a passphrase\n\n\
         A node that was given its overlay's passphrase answers other machines with HTTP status 401 \
         unless they send it as the password of Basic authentication, as libraries do for \
         `http://scope:PASSPHRASE@HOST:5851/RPC2`; characters that URLs do not have are \
         percent-encoded there. The user may be anything. Or a session is opened first:\n\n\
         ```sh\n\
         curl --json '{\"passphrase\": \"five words nobody else has\"}' \
         http://192.0.2.1:5851/api/v1/session\n\
         ```\n\n\
         The answer, `{\"token\": \"…\", \"expires_s\": 43200}`, is good for twelve hours or until the node \
         stops, sent as `Authorization: Bearer TOKEN`. Wrong tries are few: ten, then one every ten \
         seconds from one address, above which the status is 429. Programs on the node's own machine \
         need none of this, and nobody does for `/healthz`. \
         [What a passphrase protects](../concepts/trust.md).\n\n\
         ## Limits\n\n| what | limit |\n|---|---|\n",
    );
    let limits = [
        ("key", format!("{KEY_MAX} bytes")),
        ("value", format!("{VALUE_MAX} bytes")),
        ("secret", format!("{SECRET_MAX} bytes")),
        ("ttl", format!("{TTL_MIN_S}–{TTL_MAX_S} s; {DEFAULT_TTL_S} s if not given")),
        ("entries under one key", format!("{ENTRIES_PER_KEY_MAX}, removals of the week included")),
        (
            "values under one key",
            format!("{BYTES_PER_KEY_MAX} bytes, each removal of the week 150"),
        ),
        (
            "request",
            format!(
                "{REQUEST_MAX} bytes; above 4 MiB the connection may break before the fault is read"
            ),
        ),
        ("reply", format!("{REPLY_MAX} bytes; above it fault 3: ask for pages")),
        ("nesting of values", NESTING_MAX.to_string()),
        ("encoding", "UTF-8, or plain ASCII; no document type declarations".to_owned()),
    ];
    for (what, limit) in limits {
        let _ = writeln!(page, "| {what} | {limit} |");
    }
    page
}

#[test]
fn the_reference_page_is_the_table() {
    assert_page("xml-rpc.md", &page());
}
