//! The seeds and past findings, fed to the target; and bytes by chance, alone and put into messages.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[path = "../../../fuzz/replay.rs"]
mod replay;
use replay::replay;

#[test]
fn the_target_holds_for_every_seed_and_finding() {
    replay("sip", sip);
}

/// Messages of the tests.
fn fixtures() -> Vec<Vec<u8>> {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = Vec::new();
    for folder in ["torture", "phones"] {
        let found = tests.join(folder).read_dir().expect("a folder of messages");
        files.extend(found.map(|file| file.expect("a file").path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sip"));
    files.sort();
    files.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

#[test]
fn the_target_holds_for_every_message_of_the_tests() {
    fixtures().iter().for_each(|message| sip(message));
}

#[test]
fn the_target_holds_for_messages_cut_anywhere() {
    for message in fixtures().iter().filter(|message| message.len() < 1000) {
        (0..message.len()).for_each(|end| sip(&message[..end]));
    }
}

/// Bytes that mean something to some parser.
fn meaning() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(b"\r\n \t:;,<>\"\\@%=?/[]*09azSIP.".to_vec())]
}

proptest! {
    #[test]
    fn the_target_holds_for_any_bytes(bytes in vec(meaning(), 0..300)) {
        sip(&bytes);
    }

    #[test]
    fn the_target_holds_for_messages_with_any_change(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        removed in 0_usize..20,
        put in vec(meaning(), 0..6),
    ) {
        let mut message = which.get(&fixtures()).clone();
        let from = at.index(message.len());
        let to = (from + removed).min(message.len());
        message.splice(from..to, put);
        sip(&message);
    }
}
