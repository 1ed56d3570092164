//! The seeds and past findings, fed to the targets.

use super::*;

#[path = "../../../fuzz/replay.rs"]
mod replay;
use replay::replay;

#[test]
fn xml_rpc_holds_for_every_seed_and_finding() {
    replay("xml_rpc", xml_rpc);
}

#[test]
fn contacts_hold_for_every_seed_and_finding() {
    replay("contacts", contacts);
}

#[test]
fn a_sound_call_gets_as_far_as_the_overlay() {
    let (runtime, dht) = asked_in_vain();
    let _entered = runtime.enter();
    let body = b"<methodCall><methodName>scope.get</methodName><params><param><value>k</value>\
                 </param></params></methodCall>";
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(rpc::answer(caller(dht), body)).poll(&mut context).is_pending());
}

#[test]
fn every_method_has_a_seed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/xml_rpc");
    let files = std::fs::read_dir(folder).expect("seeds").map(|file| file.expect("a file").path());
    let seeds: Vec<String> = files
        .map(|file| String::from_utf8_lossy(&std::fs::read(file).expect("it")).into())
        .collect();
    for method in rpc::METHODS {
        let call = format!("<methodName>{}</methodName>", method.name);
        let has = seeds.iter().any(|seed| seed.contains(&call));
        assert!(has, "{} has no seed: write a call of it to {folder}", method.name);
    }
}
