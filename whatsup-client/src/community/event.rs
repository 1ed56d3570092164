//! [`Event`]: something that takes place, and when and where.

use std::fmt;
use std::str::FromStr;

use base::Name;
use chrono::{DateTime, Duration, FixedOffset, Local, NaiveDateTime, TimeZone, Timelike, Utc};
use prost::Message;

use super::view::Part;
use crate::index::Shelf;
use crate::keys::CommunityId;
use crate::list::BODY_MAX;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::{self, TextError};

/// Longest title, in bytes.
const TITLE_MAX: usize = 100;
/// Longest place, in bytes.
const PLACE_MAX: usize = 100;
/// Longest description, in bytes: with all else it fits into one element of a list.
const TEXT_MAX: usize = 500;
/// Hours an event may last.
const HOURS_MAX: i64 = 24 * 62;
/// Minutes in a day: no clock of the earth is a day off.
const DAY: i32 = 24 * 60;

/// An event: the body of an element of the list `events`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Event {
    /// The name of who announces it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// When it was announced.
    #[prost(uint64, tag = "2")]
    pub stamp: u64,
    /// What it is called.
    #[prost(string, tag = "3")]
    pub title: String,
    /// What it is.
    #[prost(string, tag = "4")]
    pub text: String,
    /// Where it is; may be empty.
    #[prost(string, tag = "5")]
    pub place: String,
    /// When it begins.
    #[prost(message, optional, tag = "6")]
    pub start: Option<Moment>,
    /// When it ends.
    #[prost(message, optional, tag = "7")]
    pub end: Option<Moment>,
}

/// A moment as it was stated: a clock on the wall, and how far that is from UTC.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Moment {
    /// Minutes of the stated clock since 1970-01-01 00:00 of that clock.
    #[prost(sint64, tag = "1")]
    pub minutes: i64,
    /// How many minutes that clock is before UTC.
    #[prost(sint32, tag = "2")]
    pub offset: i32,
}

/// Why something is no event, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// One of its texts.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A time that cannot be read.
    #[error("{0:?} is no time; write 2026-12-01T19:00, with +01:00 behind it for another zone")]
    NotATime(String),
    /// It ends before it begins.
    #[error("the event ends ({end}) before it begins ({start}); give a later end")]
    EndsFirst {
        /// When it begins.
        start: Moment,
        /// When it ends.
        end: Moment,
    },
    /// It is longer than two months.
    #[error("the event lasts longer than {} days; make several of it", HOURS_MAX / 24)]
    TooLong,
    /// All texts together are too long.
    #[error("the event has {0} bytes; it may have {BODY_MAX}: shorten its description")]
    TooBig(usize),
}

impl Event {
    /// What somebody typed, checked.
    ///
    /// # Errors
    /// [`EventError`] says what to change.
    pub fn new(
        name: &Name,
        title: &str,
        about: &str,
        place: &str,
        (start, end): (Moment, Moment),
        stamp: Stamp,
    ) -> Result<Event, EventError> {
        let title = text::line(title, "event's title", TITLE_MAX)?;
        let about = match about.trim() {
            "" => String::new(),
            about => text::lines(about, "event's description", TEXT_MAX)?,
        };
        let place = match place.trim() {
            "" => String::new(),
            place => text::line(place, "event's place", PLACE_MAX)?,
        };
        let lasts = end.utc().zip(start.utc()).map(|(end, start)| end - start);
        match lasts {
            Some(lasts) if lasts < Duration::zero() => {
                return Err(EventError::EndsFirst { start, end });
            }
            Some(lasts) if lasts <= Duration::hours(HOURS_MAX) => {}
            _ => return Err(EventError::TooLong),
        }
        let (name, stamp) = (name.as_str().to_owned(), stamp.millis());
        let (start, end) = (Some(start), Some(end));
        let event = Event { name, stamp, title, text: about, place, start, end };
        let len = event.encoded_len();
        if len > BODY_MAX { Err(EventError::TooBig(len)) } else { Ok(event) }
    }

    /// When it begins and ends, if it does so in this order.
    pub fn times(&self) -> Option<(Moment, Moment)> {
        let (start, end) = (self.start?, self.end?);
        let lasts = end.utc()? - start.utc()?;
        (Duration::zero() <= lasts && lasts <= Duration::hours(HOURS_MAX)).then_some((start, end))
    }
}

impl Part for Event {
    fn name(&self) -> &str {
        &self.name
    }

    fn stamp(&self) -> Stamp {
        Stamp::from_millis(self.stamp)
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn texts(&self) -> Vec<&str> {
        vec![&self.place, &self.text]
    }

    fn shelf(community: CommunityId) -> Shelf {
        Shelf::Events(community)
    }

    fn is_whole(record: &Record<Event>) -> bool {
        !record.body.title.is_empty() && record.body.times().is_some()
    }
}

impl Moment {
    /// The moment as a clock at its place shows it; nothing if there is no such time.
    pub fn local(self) -> Option<DateTime<FixedOffset>> {
        if self.offset.abs() >= DAY {
            return None;
        }
        let zone = FixedOffset::east_opt(self.offset * 60)?;
        let wall = DateTime::from_timestamp(self.minutes.checked_mul(60)?, 0)?.naive_utc();
        let moment = zone.from_local_datetime(&wall).single()?;
        // What RFC 3339 and RFC 5545 can write: years of four digits.
        let year = chrono::Datelike::year(&moment.to_utc());
        (1900..=9000).contains(&year).then_some(moment)
    }

    /// The moment in UTC.
    pub fn utc(self) -> Option<DateTime<Utc>> {
        self.local().map(|moment| moment.to_utc())
    }

    /// A moment so much later, by the same clock.
    pub fn later(self, minutes: i64) -> Moment {
        Moment { minutes: self.minutes.saturating_add(minutes), ..self }
    }

    fn of(moment: DateTime<FixedOffset>) -> Moment {
        let minutes = moment.naive_local().and_utc().timestamp().div_euclid(60);
        Moment { minutes, offset: moment.offset().local_minus_utc() / 60 }
    }
}

impl FromStr for Moment {
    type Err = EventError;

    /// `2026-12-01T19:00+01:00`, or without a zone by this machine's. A space may stand for the `T`.
    fn from_str(typed: &str) -> Result<Moment, EventError> {
        let wrong = || EventError::NotATime(text::shortened(typed, 40).into_owned());
        let text = typed.trim().replacen(' ', "T", 1);
        let stated = ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%dT%H:%M:%S%:z", "%Y-%m-%dT%H:%M%z"];
        let stated = stated.iter().find_map(|form| DateTime::parse_from_str(&text, form).ok());
        // `Z` is how RFC 3339 writes UTC.
        let stated = stated.or_else(|| {
            let wall =
                NaiveDateTime::parse_from_str(text.strip_suffix('Z')?, "%Y-%m-%dT%H:%M").ok();
            wall.map(|wall| wall.and_utc().fixed_offset())
        });
        let here = || {
            let wall = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M").ok()?;
            Local.from_local_datetime(&wall).earliest().map(|moment| moment.fixed_offset())
        };
        let moment = stated.or_else(here).and_then(|moment| moment.with_second(0));
        let moment = moment.map(Moment::of).ok_or_else(wrong)?;
        moment.local().map(|_| moment).ok_or_else(wrong)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local() {
            Some(moment) => write!(f, "{}", moment.format("%Y-%m-%d %H:%M %:z")),
            None => f.write_str("no time"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn event(title: &str, start: &str, end: &str) -> Result<Event, EventError> {
        let name = Name::new("alice").unwrap();
        let times = (start.parse()?, end.parse()?);
        Event::new(&name, title, "", "Hall 2", times, Stamp::from_millis(1_796_000_000_000))
    }

    #[test]
    fn a_time_is_kept_as_it_was_stated() {
        for (typed, shown) in [
            ("2026-12-01T19:00+01:00", "2026-12-01 19:00 +01:00"),
            ("2026-12-01 19:00:30-05:30", "2026-12-01 19:00 -05:30"),
            ("2026-12-01T19:00Z", "2026-12-01 19:00 +00:00"),
        ] {
            assert_eq!(typed.parse::<Moment>().unwrap().to_string(), shown);
        }
        for wrong in ["", "tomorrow", "2026-13-01T19:00", "2026-12-01T25:00Z", "9999-12-31T23:59Z"]
        {
            let error = wrong.parse::<Moment>().unwrap_err().to_string();
            assert!(error.contains("is no time; write 2026-12-01T19:00"), "{error}");
        }
    }

    #[test]
    fn an_event_that_ends_before_it_begins_is_refused_by_the_clock_of_the_world() {
        let error = event("Chess", "2026-12-01T19:00Z", "2026-12-01T18:00Z").unwrap_err();
        assert!(error.to_string().contains("ends (2026-12-01 18:00 +00:00) before"), "{error}");
        // An hour later by the wall, and earlier in truth.
        assert!(event("Chess", "2026-12-01T19:00Z", "2026-12-01T20:00+02:00").is_err());
        assert!(event("Chess", "2026-12-01T19:00+02:00", "2026-12-01T18:00Z").is_ok());
        assert_eq!(
            event("Chess", "2026-12-01T19:00Z", "2027-12-01T19:00Z"),
            Err(EventError::TooLong)
        );
        assert!(event(" ", "2026-12-01T19:00Z", "2026-12-01T19:00Z").is_err());
    }

    proptest! {
        #[test]
        fn any_moment_is_a_time_or_none_and_reads_back(minutes: i64, offset: i32) {
            for minutes in [minutes, minutes % 100_000_000] {
                let moment = Moment { minutes, offset: offset % 2000 };
                if moment.local().is_some() {
                    prop_assert_eq!(moment.to_string().replace(" +", "+").replace(" -", "-").parse(), Ok(moment));
                }
                let _ = Moment { minutes, offset }.utc();
            }
        }
    }
}
