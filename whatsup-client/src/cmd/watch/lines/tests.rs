use super::super::event::Alert;
use super::super::samples::{guest, mine, shared, talk, theirs};
use super::*;

fn said(told: &[(Json, bool)], field: &str) -> Vec<(String, bool)> {
    let text = |line: &Json| match &line[field] {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (line, is_new) in told {
        assert_eq!(line["new"], *is_new);
    }
    told.iter().map(|(line, is_new)| (text(line), *is_new)).collect()
}

fn is(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(text, is_new)| ((*text).to_owned(), *is_new)).collect()
}

#[test]
fn posts_are_told_once_the_oldest_first_and_those_before_are_not_new() {
    let mut lines = Lines::default();
    let told = lines.told(Event::Feed(vec![shared(2, "bob", "two"), shared(1, "bob", "one")]));
    assert_eq!(said(&told, "text"), is(&[("one", false), ("two", false)]));
    assert_eq!((&told[0].0["event"], &told[0].0["by"]), (&"post".into(), &"bob".into()));
    let feed = [4, 3, 2, 1].map(|at| shared(at, "bob", &at.to_string()));
    let told = lines.told(Event::Feed(feed.to_vec()));
    assert_eq!(said(&told, "text"), is(&[("3", true), ("4", true)]));
    assert!(lines.told(Event::Feed(feed.to_vec())).is_empty());
}

#[test]
fn messages_are_told_as_they_come_and_ones_own_as_they_get_on() {
    let mut lines = Lines::default();
    let first = talk(2, "bob", vec![theirs(1, "hi", false)]);
    assert_eq!(said(&lines.told(Event::Talks(vec![first])), "text"), is(&[("hi", false)]));
    let with = |state| {
        let messages = vec![theirs(1, "hi", true), mine(2, "hello", state), theirs(3, "so", false)];
        Event::Talks(vec![talk(2, "bob", messages)])
    };
    let told = lines.told(with(State::Relayed(3)));
    assert_eq!(said(&told, "text"), is(&[("hello", true), ("so", true)]));
    assert_eq!((&told[0].0["state"], &told[0].0["replicas"]), (&"relayed".into(), &3.into()));
    assert!(told[1].0.get("state").is_none());
    assert_eq!(said(&lines.told(with(State::Read)), "state"), is(&[("read", true)]));
}

#[test]
fn who_comes_changes_and_goes_is_told() {
    let mut lines = Lines::default();
    let told = lines.told(Event::Here(vec![guest(1, "bob", "")], true));
    assert_eq!(said(&told, "here"), is(&[("true", false)]));
    let both = vec![guest(1, "bob", "coffee"), guest(2, "carol", "")];
    assert_eq!(
        said(&lines.told(Event::Here(both, true)), "status"),
        is(&[("coffee", true), ("", true)])
    );
    let told = lines.told(Event::Here(vec![guest(2, "carol", "")], true));
    assert_eq!(said(&told, "name"), is(&[("bob", true)]));
    assert_eq!(told[0].0["here"], false);
}

#[test]
fn that_all_is_read_is_told_once() {
    let mut lines = Lines::default();
    assert!(
        lines.told(Event::Feed(vec![])).is_empty() && lines.told(Event::Talks(vec![])).is_empty()
    );
    assert_eq!(said(&lines.told(Event::Here(vec![], true)), "event"), is(&[("ready", false)]));
    assert!(lines.told(Event::Feed(vec![])).is_empty());
}

#[test]
fn super_nodes_troubles_and_alerts_are_told() {
    let mut lines = Lines::default();
    assert_eq!(
        said(&lines.told(Event::Node("http://a:1".into())), "node"),
        is(&[("http://a:1", false)])
    );
    assert_eq!(said(&lines.told(Event::Trouble("gone".into())), "message"), is(&[("gone", false)]));
    let alert = Alert { line: "x".into(), json: json!({ "kind": "poll" }) };
    assert_eq!(said(&lines.told(Event::Alert(alert)), "kind"), is(&[("poll", true)]));
}
