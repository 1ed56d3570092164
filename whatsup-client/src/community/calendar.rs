//! Events as an iCalendar file (RFC 5545), for any calendar program.

use chrono::{DateTime, Utc};

use super::event::Event;
use super::view::Shown;
use crate::text;

/// Longest line, in bytes, without its break (RFC 5545, section 3.1).
const LINE_MAX: usize = 75;

/// A calendar of these events; hidden ones are left out. Times are in UTC, so that it needs no table of
/// zones.
pub fn calendar(title: &str, events: &[Shown<Event>]) -> String {
    let mut calendar = String::new();
    let mut line = |name, value: &str| fold(&mut calendar, name, value);
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", concat!("-//SCOPE//whatsup ", env!("CARGO_PKG_VERSION"), "//EN"));
    // RFC 7986, section 5.1, and what came before it.
    for name in ["NAME", "X-WR-CALNAME"] {
        line(name, &escaped(title));
    }
    for shown in events.iter().filter(|shown| shown.hidden.is_none()) {
        let event = &shown.record.body;
        let Some((start, end)) = event.times() else { continue };
        let (Some(start), Some(end)) = (start.utc(), end.utc()) else { continue };
        let said = i64::try_from(event.stamp).ok().and_then(DateTime::from_timestamp_millis);
        line("BEGIN", "VEVENT");
        line("UID", &format!("{}@scope", shown.id));
        line("DTSTAMP", &utc(said.unwrap_or(start)));
        line("DTSTART", &utc(start));
        line("DTEND", &utc(end));
        line("SUMMARY", &escaped(&event.title));
        if !event.text.is_empty() {
            line("DESCRIPTION", &escaped(&event.text));
        }
        if !event.place.is_empty() {
            line("LOCATION", &escaped(&event.place));
        }
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    calendar
}

/// A date with UTC time (section 3.3.5).
fn utc(moment: DateTime<Utc>) -> String {
    moment.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Somebody's text as a value of type TEXT (section 3.3.11); it has no control character but line feeds.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text::shown_lines(text).chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes a content line, folded between characters (section 3.1).
fn fold(calendar: &mut String, name: &str, value: &str) {
    let line = format!("{name}:{value}");
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > LINE_MAX {
            calendar.push_str("\r\n ");
            length = 1;
        }
        calendar.push(c);
        length += c.len_utf8();
    }
    calendar.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use base::{Key, PublicKey, Sequence, Slot};
    use proptest::prelude::*;

    use super::super::event::tests::event;
    use super::*;
    use crate::keys::ThingId;
    use crate::record::Record;

    fn shown(event: Event) -> Shown<Event> {
        let (author, slot) = (PublicKey::from_bytes([1; 32]), Slot::ZERO);
        let record = Record { author, slot, sequence: Sequence::ZERO, body: event, hash: [0; 32] };
        let id = ThingId::of(&Key::new("events").unwrap(), &author, slot);
        Shown { id, author, record, hidden: None }
    }

    /// What a calendar program reads: folded lines joined (RFC 5545, section 3.1).
    fn lines(calendar: &str) -> Vec<String> {
        let unfolded = calendar.replace("\r\n ", "").replace("\r\n\t", "");
        unfolded.split_terminator("\r\n").map(str::to_owned).collect()
    }

    fn value(lines: &[String], name: &str) -> String {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        let mut value = line[name.len() + 1..].chars();
        let mut read = String::new();
        while let Some(c) = value.next() {
            read.push(match c {
                '\\' => match value.next().unwrap() {
                    'n' | 'N' => '\n',
                    c => c,
                },
                c => c,
            });
        }
        read
    }

    #[test]
    fn an_event_is_written_as_calendars_read_it() {
        let event = event("Chess; for all", "2026-12-01T19:00+01:00", "2026-12-01T21:00+01:00");
        let calendar = calendar("Chess club", &[shown(event.unwrap())]);
        let lines = lines(&calendar);
        for line in [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "BEGIN:VEVENT",
            "DTSTART:20261201T180000Z",
            "DTEND:20261201T200000Z",
            "SUMMARY:Chess\\; for all",
            "LOCATION:Hall 2",
            "END:VEVENT",
        ] {
            assert!(lines.iter().any(|there| there == line), "{line} in {calendar}");
        }
        assert_eq!(lines.iter().filter(|line| line.starts_with("UID:")).count(), 1);
        assert_eq!(lines.iter().filter(|line| line.starts_with("DTSTAMP:2026")).count(), 1);
    }

    proptest! {
        #[test]
        fn no_text_adds_a_line_or_gets_lost(title in ".{1,90}", about in "(?s).{0,300}", place in any::<String>()) {
            let body = event("Chess", "2026-12-01T19:00Z", "2026-12-01T21:00Z").unwrap();
            let plain = lines(&calendar("x", &[shown(Event { text: "t".to_owned(), ..body.clone() })]));
            let body = Event {
                title: title.clone(), text: format!("{about}."), place: format!("{place}."), ..body
            };
            let calendar = calendar(&title, &[shown(body)]);
            prop_assert!(calendar.split("\r\n").all(|line| line.len() <= 75), "{}", calendar);
            let hostile = ['\r', '\n', '\0', '\u{1b}'];
            prop_assert!(!calendar.replace("\r\n", "").contains(hostile));
            let lines = lines(&calendar);
            prop_assert_eq!(lines.len(), plain.len());
            let names = |lines: &[String]| -> Vec<String> {
                lines.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
            };
            prop_assert_eq!(names(&lines), names(&plain));
            prop_assert_eq!(value(&lines, "SUMMARY"), text::shown_lines(&title));
            prop_assert_eq!(value(&lines, "DESCRIPTION"), text::shown_lines(&format!("{about}.")));
        }
    }
}
