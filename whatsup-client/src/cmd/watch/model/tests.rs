use super::super::samples::{comment, guest, id, peer, shared, talk, theirs};
use super::*;

fn model() -> Model {
    let mut model = Model::new("alice");
    model.told(Event::Node("http://a:1".into()));
    let feed = vec![shared(3, "carol", "three"), shared(2, "bob", "two"), shared(1, "bob", "one")];
    model.told(Event::Feed(feed));
    model.told(Event::Talks(vec![talk(2, "bob", vec![theirs(1, "hi", false)])]));
    model.told(Event::Here(vec![guest(2, "bob", ""), guest(3, "carol", "")], true));
    model
}

fn press(model: &mut Model, keys: &str) -> Vec<Then> {
    keys.chars().map(|c| model.key(Key::Char(c))).collect()
}

#[test]
fn tab_goes_round_and_q_leaves() {
    let mut model = model();
    let mut panes = vec![];
    for key in [Key::Tab, Key::Tab, Key::Tab, Key::BackTab] {
        assert_eq!(model.key(key), Then::Stay);
        panes.push(model.pane);
    }
    assert_eq!(panes, [Pane::Messages, Pane::Here, Pane::Feed, Pane::Here]);
    assert_eq!(model.key(Key::Char('q')), Then::Leave);
    assert_eq!(model.key(Key::Interrupt), Then::Leave);
}

#[test]
fn what_was_there_is_not_new_and_what_comes_is_until_it_is_chosen() {
    let mut model = model();
    assert!(model.fresh.is_empty());
    let mut feed = model.feed.clone().unwrap();
    feed.insert(0, shared(4, "bob", "four"));
    // Comes in below, since what stood above it was taken back.
    feed.push(shared(0, "bob", "old"));
    model.told(Event::Feed(feed.clone()));
    assert_eq!(model.fresh, BTreeSet::from([id(4)]));
    model.key(Key::Down);
    model.key(Key::Up);
    assert!(model.fresh.is_empty());
    feed.insert(0, shared(5, "bob", "five"));
    model.told(Event::Feed(feed));
    model.told(Event::Feed(vec![shared(3, "carol", "three")]));
    assert!(model.fresh.is_empty(), "nothing is new that was taken back");
}

#[test]
fn a_post_is_opened_with_its_comments_commented_and_shut() {
    let mut model = model();
    model.key(Key::Down);
    assert_eq!(model.key(Key::Enter), Then::Wish(Wish::Open(id(2))));
    model.told(Event::Comments(id(1), vec![]));
    assert_eq!(model.comments, None, "those of another post are not shown here");
    model.told(Event::Comments(id(2), vec![comment(7, "bob", "indeed")]));
    assert_eq!(model.comments.as_ref().map(Vec::len), Some(1));
    model.drawn(3);
    press(&mut model, "jjjjj");
    assert_eq!(model.scroll, 3);
    press(&mut model, "k");
    assert_eq!(model.scroll, 2);
    press(&mut model, "cquite?");
    assert_eq!(model.key(Key::Backspace), Then::Stay);
    assert_eq!(model.key(Key::Char('!')), Then::Stay);
    let wish = Wish::Comment(id(2), "quite!".into());
    assert_eq!(model.key(Key::Enter), Then::Wish(wish));
    assert_eq!(model.key(Key::Escape), Then::Wish(Wish::Shut));
    assert_eq!(model.open, Open::Lists);
}

#[test]
fn an_opened_conversation_is_seen_and_so_is_what_comes_into_it() {
    let mut model = model();
    model.key(Key::Tab);
    assert_eq!(model.key(Key::Enter), Then::Wish(Wish::Seen(peer(2))));
    let read = talk(2, "bob", vec![theirs(1, "hi", true)]);
    assert_eq!(model.told(Event::Talks(vec![read])), None);
    let two = talk(2, "bob", vec![theirs(1, "hi", true), theirs(2, "there?", false)]);
    assert_eq!(model.told(Event::Talks(vec![two])), Some(Wish::Seen(peer(2))));
    assert_eq!(model.notice.as_deref(), Some("a message from bob"));
    press(&mut model, "cyes");
    assert_eq!(model.key(Key::Enter), Then::Wish(Wish::Say("bob".into(), "yes".into())));
}

#[test]
fn whoever_is_here_is_written_to_by_the_name_they_go_by_in_the_conversation() {
    let mut model = model();
    model.told(Event::Talks(vec![talk(2, "bob~1234", vec![theirs(1, "hi", true)])]));
    model.key(Key::BackTab);
    press(&mut model, "chi");
    assert_eq!(model.key(Key::Enter), Then::Wish(Wish::Say("bob~1234".into(), "hi".into())));
    model.key(Key::Down);
    assert_eq!(model.key(Key::Enter), Then::Stay);
    assert_eq!(model.open, Open::Talk(peer(3), "carol".into()));
}

#[test]
fn who_wrote_by_sip_cannot_be_answered_here() {
    let mut model = model();
    let sip = Peer::Sip("sip:dave@192.0.2.1".into());
    model.told(Event::Talks(vec![Talk { peer: sip, ..talk(2, "sip:dave", vec![]) }]));
    model.key(Key::Tab);
    press(&mut model, "c");
    assert_eq!(model.typed, None);
    assert!(model.notice.is_some());
}

#[test]
fn nothing_unseen_is_typed_and_no_more_than_a_comment_holds() {
    let mut model = model();
    press(&mut model, "c");
    model.key(Key::Pasted("two\nlines\u{1b}[2J\u{202e}".into()));
    assert_eq!(model.typed.as_ref().unwrap().text, "two lines[2J");
    model.key(Key::Pasted("é".repeat(500)));
    assert!(model.typed.as_ref().unwrap().text.len() <= TYPED_MAX);
    assert_eq!(model.key(Key::Char('q')), Then::Stay, "a letter among others");
    model.key(Key::Escape);
    press(&mut model, "c");
    assert_eq!(model.key(Key::Enter), Then::Stay, "nothing was typed");
}

#[test]
fn trouble_is_said_until_a_super_node_answers_and_another_one_is_named() {
    let mut model = model();
    assert_eq!((model.node.as_deref(), &model.notice), (Some("http://a:1"), &None));
    model.told(Event::Trouble("no super-node answers".into()));
    assert!(model.trouble.is_some());
    model.told(Event::Node("http://b:1".into()));
    let said = "http://a:1 does not answer; http://b:1 answers now";
    assert_eq!((model.trouble, model.notice.as_deref()), (None, Some(said)));
}

#[test]
fn help_is_shown_over_all_and_any_key_goes_back() {
    let mut model = model();
    model.key(Key::Enter);
    assert_eq!(model.key(Key::Char('?')), Then::Wish(Wish::Shut));
    assert_eq!(model.open, Open::Help);
    assert_eq!(model.key(Key::Char('x')), Then::Stay);
    assert_eq!(model.open, Open::Lists);
}

#[test]
fn with_nothing_to_choose_no_key_does_anything() {
    let mut model = Model::new("alice");
    for _ in 0..3 {
        for key in [Key::Enter, Key::Down, Key::Up, Key::End, Key::Char('c'), Key::Escape] {
            assert_eq!(model.key(key), Then::Stay);
        }
        model.key(Key::Tab);
    }
    assert_eq!((model.open, model.typed), (Open::Lists, None));
}
