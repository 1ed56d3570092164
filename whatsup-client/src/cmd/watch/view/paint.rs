//! [`Manner`]: how things are drawn on a terminal, with colours or without.

use ratatui::style::{Color, Modifier, Style};

use crate::stamp::Stamp;
use crate::text;

/// How things are drawn.
pub(in super::super) struct Manner<'a> {
    /// Whether there are colours; else only bold, faint and reversed letters.
    pub(in super::super) colours: bool,
    /// How a moment is said, in a few columns.
    pub(in super::super) when: &'a dyn Fn(Stamp) -> String,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Tone {
    Plain,
    Title,
    Name,
    Faint,
    New,
    Chosen,
    Trouble,
}

impl Manner<'_> {
    /// How it looks. Without its colour each can still be told from what stands beside it.
    pub(super) fn style(&self, tone: Tone) -> Style {
        let (modifier, colour) = match tone {
            Tone::Plain => return Style::new(),
            Tone::Title => (Modifier::BOLD, Some(Color::Cyan)),
            Tone::Name => (Modifier::BOLD, None),
            Tone::Faint => (Modifier::DIM, None),
            Tone::New => (Modifier::BOLD, Some(Color::Green)),
            Tone::Chosen => (Modifier::REVERSED, None),
            Tone::Trouble => (Modifier::BOLD, Some(Color::Red)),
        };
        let style = Style::new().add_modifier(modifier);
        match colour {
            Some(colour) if self.colours => style.fg(colour),
            _ => style,
        }
    }
}

/// Somebody's text, as one line that does nothing to the terminal.
pub(super) fn safe(text: &str) -> String {
    text::shown(text).into_owned()
}
