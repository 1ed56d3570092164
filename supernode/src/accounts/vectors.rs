//! The test vectors of `docs/reference/phone-passwords.md`: made here, and compared with the page.
//! `UPDATE_DOCS=1 cargo test -p supernode` writes them.

use std::fmt::Write as _;

use base::{Kind, Name, Sequence, Signed, SigningKey, Slot, Ttl};
use p2psip::accounts::Account;
use zeroize::Zeroizing;

use super::record::{Record, Seal};
use super::{PhonePassword, key};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/phone-passwords.md");
const BEGIN: &str = "<!-- vectors: made by supernode/src/accounts/vectors.rs -->\n";
const END: &str = "<!-- end of vectors -->\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vectors() -> String {
    let (owner, name, salt) =
        (SigningKey::from_bytes(&[1; 32]), Name::new("alice").unwrap(), *b"8 bytes.");
    let password = PhonePassword::of(&owner, &name, &salt);
    let record = Record::of(&Account::new(name.as_str(), password.as_str()), salt).unwrap();
    let (place, public) = (key(&name).place(), owner.public());
    let (nonce, shared) = ([5; 24], Zeroizing::new([6; 32]));
    let clear = Seal::new(|_| None).close(&record, &place, &public, nonce);
    let sealed = Seal::new(|_| Some(shared)).close(&record, &place, &public, nonce);
    let sequence = Sequence::new(7);
    let signed =
        Signed::sign(&owner, &place, Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, &clear).unwrap();
    let rows = [
        ("owner: seed 32 × 01, public", public.to_string()),
        ("salt", hex(&salt)),
        ("phone password of alice", password.as_str().to_owned()),
        ("its MD5 hash", hex(record.md5())),
        ("its SHA-256 hash", hex(record.sha256())),
        ("place of password/alice in P2PSIP", place.to_string()),
        ("record in the clear", hex(&clear)),
        ("record sealed, key 32 × 06, nonce 24 × 05", hex(&sealed)),
        ("entry of the record in the clear, sequence 7, ttl 604800", hex(signed.as_bytes())),
    ];
    let mut text = String::from("```text\n");
    for (what, value) in rows {
        writeln!(text, "{what}\n  {value}").unwrap();
    }
    text + "```\n"
}

#[test]
fn the_vectors_of_the_page_are_what_the_code_makes() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{}{END}{after}", vectors())).unwrap();
        return;
    }
    assert_eq!(shown, vectors(), "UPDATE_DOCS=1 cargo test -p supernode writes them");
}
