//! The test vectors of `docs/reference/signed.md`: made here, and compared with the page.
//! `UPDATE_DOCS=1 cargo test -p base` writes them.

use std::fmt::Write as _;

use crate::{
    Claim, EntryId, Held, Key, Kind, Name, NodeId, Passphrase, Report, Sequence, Signed,
    SigningKey, Slot, Succession, Told, Ttl, person_key,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/signed.md");
const BEGIN: &str = "<!-- vectors: made by base/src/vectors.rs -->\n";
const END: &str = "<!-- end of vectors -->\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vectors() -> String {
    let (old, new) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let name = Name::new("alice").unwrap();
    let place = name.key().place();
    let ttl = Ttl::from_secs(600).unwrap();
    let slot = Slot::new(*b"sixteen bytes ok");
    let plain =
        Signed::sign(&old, &place, slot, Kind::Plain, Sequence::new(7), ttl, b"hello").unwrap();
    let removal = Signed::removal(&old, &place, slot, Kind::Plain, Sequence::new(8));
    let passed = Succession::sign(&old, &name, &new.public());
    let claim = Claim { name, floor: Sequence::new(5), successions: vec![passed] };
    let claim = claim.sign(&new, Sequence::new(9), ttl).unwrap();
    let told = Told {
        settled: true,
        endorsed: Some(new.public()),
        held: vec![Held { author: new.public(), held_ms: 2_500 }],
    };
    let report = Report::sign(&old, &place, &[3; 16], told);
    let id = NodeId::of(&old.public()).unwrap();
    let passphrase = Passphrase::generate(&[4; 32]);
    let person = person_key(&Name::new("alice").unwrap(), &passphrase).unwrap();
    let rows = [
        ("key 1: seed 32 × 01, public", old.public().to_string()),
        ("key 1: fingerprint", old.public().fingerprint().to_string()),
        ("key 2: seed 32 × 02, public", new.public().to_string()),
        ("place of the name alice", Key::new("name/alice").unwrap().place().to_string()),
        ("slot", hex(slot.as_bytes())),
        ("id of key 1 and the slot", hex(&EntryId::of_slot(&old.public(), slot).to_bytes())),
        ("plain, sequence 7, ttl 600, body hello", hex(plain.as_bytes())),
        ("its removal, sequence 8", hex(removal.as_bytes())),
        ("claim of key 2, heir of key 1, floor 5, sequence 9, ttl 600", hex(claim.as_bytes())),
        ("report of the node of key 1", id.to_string()),
        ("nonce 16 × 03: settled, endorses key 2, held 2,500 ms", hex(&report.to_bytes())),
        ("passphrase of entropy 32 × 04", passphrase.as_str().to_owned()),
        ("public key of alice with it", person.public().to_string()),
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
    assert_eq!(shown, vectors(), "UPDATE_DOCS=1 cargo test -p base writes them");
}
