use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::super::event::{Alert, Event};
use super::super::model::Key;
use super::super::samples::{HOSTILE, comment, guest, id, mine, shared, talk, theirs};
use super::*;
use crate::message::State;
use crate::stamp::Stamp;

/// The screen after this model was drawn on it: rows of what its cells show, and whether any has a colour.
fn drawn(model: &Model, columns: u16, rows: u16, colours: bool) -> (Vec<String>, bool) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let when = |stamp: Stamp| {
        format!("{:02}:{:02}", stamp.millis() / 3_600_000, stamp.millis() / 60_000 % 60)
    };
    let manner = Manner { colours, when: &when };
    terminal
        .draw(|frame| {
            draw(model, &manner, frame);
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let lines = (0..rows).map(|y| row(y).trim_end().to_owned()).collect();
    let coloured =
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    (lines, coloured)
}

fn screen(model: &Model, columns: u16, rows: u16) -> String {
    drawn(model, columns, rows, false).0.join("\n")
}

fn model() -> Model {
    let mut model = Model::new("alice");
    model.told(Event::Node("http://127.0.0.1:5851".into()));
    let mut news = shared(62, "carol", "Who plays tonight?");
    news.community = Some("Chess".into());
    model.told(Event::Feed(vec![news, shared(61, "bob", "Coffee in hall 3?")]));
    let request =
        Talk { standing: Standing::Stranger, ..talk(4, "dave", vec![theirs(9, "Hello!", false)]) };
    let known = talk(2, "bob", vec![theirs(8, "Lunch?", true), mine(9, "Yes", State::Read)]);
    model.told(Event::Talks(vec![request, known]));
    model.told(Event::Here(vec![guest(2, "bob", "at the coffee")], true));
    model
}

#[test]
fn on_80_by_24_the_three_lists_stand_beside_each_other() {
    let expected = "\
What's UP  alice  http://127.0.0.1:5851
┌Feed──────────────────────────────────────────┐┌Messages (1 new)──────────────┐
│  01:02 carol in Chess  Who plays tonight?    ││• dave (a stranger)  Hello!   │
│  01:01 bob  Coffee in hall 3?                ││  bob  Yes                    │
│                                              ││                              │";
    let screen = screen(&model(), 80, 24);
    assert!(screen.starts_with(expected), "{screen}");
    assert!(screen.contains("┌Here (1)──────"), "{screen}");
    assert!(screen.contains("│  bob  Mx bob  at the coffee  │"), "{screen}");
    assert!(screen.ends_with("Tab list  ↑↓ row  Enter open  c write  ? keys  q leave"), "{screen}");
}

#[test]
fn where_there_is_no_room_one_list_stands_alone_and_less_is_said_so() {
    let mut model = model();
    let narrow = screen(&model, 40, 20);
    assert!(narrow.contains("┌Feed") && !narrow.contains("Messages"), "{narrow}");
    model.key(Key::Tab);
    let narrow = screen(&model, 40, 20);
    assert!(
        narrow.contains("│• dave (a stranger)  Hello!") && !narrow.contains("Feed"),
        "{narrow}"
    );
    let low = screen(&model, 80, 6);
    assert!(low.contains("dave") && low.lines().count() == 6, "{low}");
    assert_eq!(screen(&model, 10, 3), "too small\n\n");
}

#[test]
fn a_post_is_shown_whole_with_what_is_said_about_it() {
    let mut model = model();
    model.key(Key::Down);
    model.key(Key::Enter);
    assert!(screen(&model, 40, 10).contains("reading what is said…"));
    let said = vec![
        comment(63, "carol", "In which hall is the coffee? I cannot find it"),
        comment(64, "bob", "3"),
    ];
    model.told(Event::Comments(id(61), said));
    let expected = "\
┌bob, 01:01────────────────────────────┐
│Coffee in hall 3?                     │
│                                      │
│01:03  carol                          │
│  In which hall is the coffee? I      │
│  cannot find it                      │
│01:04  bob                            │
│  3                                   │
└──────────────────────────────────────┘";
    let shown = screen(&model, 40, 12);
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.ends_with("↑↓ scroll  c comment  Esc back  q leave"), "{shown}");
}

#[test]
fn a_conversation_is_shown_from_its_end_and_says_how_far_ones_own_came() {
    let mut model = model();
    model.key(Key::Tab);
    model.key(Key::Down);
    model.key(Key::Enter);
    let shown = screen(&model, 40, 6);
    assert!(shown.contains("│00:09  you  read") && !shown.contains("Lunch?"), "{shown}");
    model.drawn(2);
    model.key(Key::PageUp);
    let above = screen(&model, 40, 6);
    assert!(above.contains("│00:08  bob") && above.contains("│  Lunch?"), "{above}");
    model.key(Key::Escape);
    model.key(Key::Up);
    model.key(Key::Enter);
    let stranger = screen(&model, 60, 12);
    assert!(stranger.contains("A stranger, who is not told that you have this."), "{stranger}");
}

#[test]
fn a_line_is_typed_at_the_bottom_and_its_end_stays_in_sight() {
    let mut model = model();
    model.key(Key::Char('c'));
    "hello".chars().for_each(|c| {
        model.key(Key::Char(c));
    });
    assert!(screen(&model, 80, 24).ends_with("to what carol shared: hello"));
    model.key(Key::Pasted("x".repeat(200) + "the end"));
    assert!(screen(&model, 80, 24).ends_with("xxthe end"));
    assert!(screen(&model, 80, 24).contains("Enter sends, Escape gives up"));
}

#[test]
fn trouble_and_notices_are_said() {
    let mut model = model();
    model.told(Event::Trouble("no super-node answers: http://a:1".into()));
    assert!(
        screen(&model, 80, 24).starts_with("What's UP  alice  no super-node answers: http://a:1")
    );
    model.told(Event::Alert(Alert {
        line: "Chess: bob asks Who wins?".into(),
        json: serde_json::json!({}),
    }));
    assert!(screen(&model, 80, 24).contains("\nChess: bob asks Who wins?\n"));
    assert!(screen(&model, 80, 8).ends_with("Chess: bob asks Who wins?"));
    model.key(Key::Char('?'));
    assert!(screen(&model, 80, 24).contains("q, Control-C     leave"));
}

#[test]
fn before_anything_is_read_and_where_nothing_is_it_is_said_so() {
    let mut model = Model::new("alice");
    let shown = screen(&model, 80, 24);
    assert!(shown.contains("asking…") && shown.matches("reading…").count() == 3, "{shown}");
    model.told(Event::Feed(vec![]));
    model.told(Event::Talks(vec![]));
    model.told(Event::Here(vec![], true));
    let shown = screen(&model, 80, 24);
    for said in
        ["follow people with: whatsup", "nobody has written yet", "nobody; say that you are:"]
    {
        assert!(shown.contains(said), "{said} in {shown}");
    }
}

#[test]
fn without_colours_there_are_none() {
    assert!(!drawn(&model(), 80, 24, false).1);
    assert!(drawn(&model(), 80, 24, true).1);
}

#[test]
fn nothing_that_somebody_wrote_does_anything_to_the_terminal() {
    let mut model = Model::new("alice");
    model.told(Event::Node(HOSTILE.into()));
    let mut post = shared(5, "bob", HOSTILE);
    post.community = Some(HOSTILE.into());
    post.post.link = Some(HOSTILE.into());
    model.told(Event::Feed(vec![post]));
    model.told(Event::Talks(vec![talk(2, HOSTILE, vec![theirs(1, HOSTILE, false)])]));
    let mut present = guest(2, "bob", HOSTILE);
    present.person.profile.as_mut().unwrap().full_name = HOSTILE.into();
    model.told(Event::Here(vec![present], true));
    let check = |model: &Model| {
        for (columns, rows) in [(80, 24), (40, 10), (20, 5)] {
            let shown = screen(model, columns, rows);
            let unseen =
                |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
            assert!(!shown.contains(unseen), "{shown:?}");
        }
    };
    check(&model);
    model.key(Key::Enter);
    model.told(Event::Comments(id(5), vec![comment(6, "carol", HOSTILE)]));
    check(&model);
    model.key(Key::Escape);
    model.key(Key::Tab);
    check(&model);
    model.key(Key::Enter);
    check(&model);
    model.key(Key::Char('c'));
    check(&model);
    model.told(Event::Trouble(HOSTILE.into()));
    model.told(Event::Failed(HOSTILE.into()));
    model.key(Key::Escape);
    check(&model);
}
