//! [`Answer`]: what came of a command, for people and for programs.

use std::fmt;

use serde_json::{Value as Json, json};

use super::error::CommandError;
use crate::text;

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// One object, for programs.
    json: Json,
    /// For people, on standard output: lines, each with its break.
    people: String,
    /// For people, on standard error.
    note: String,
    /// Whether there was something, or the answer is yes.
    found: bool,
}

impl Answer {
    /// It is done, or here is what was asked for. `people` is lines, each with its break; a single line may
    /// go without.
    pub fn done(json: Json, people: impl fmt::Display) -> Answer {
        let mut people = people.to_string();
        if !people.is_empty() && !people.ends_with('\n') {
            people.push('\n');
        }
        Answer { json, people, note: String::new(), found: true }
    }

    /// There is nothing, or the answer is no: exit code 1. `note` says to people what was not found, or
    /// why not.
    pub fn nothing(json: Json, note: impl fmt::Display) -> Answer {
        Answer { json, people: String::new(), note: format!("{note}\n"), found: false }
    }

    /// Says something beside it to people, on standard error.
    #[must_use]
    pub fn with_note(mut self, note: impl fmt::Display) -> Answer {
        self.note.push_str(&format!("{note}\n"));
        self
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        u8::from(!self.found)
    }
}

/// What goes to standard output and to standard error.
pub(super) fn printed(answer: &Result<Answer, CommandError>, json: bool) -> (String, String) {
    match answer {
        Ok(answer) if json => (format!("{}\n", answer.json), String::new()),
        Ok(answer) => (answer.people.clone(), answer.note.clone()),
        Err(error) if json => {
            let error = json!({"error": {"code": error.exit_code(), "message": error.to_string()}});
            (format!("{error}\n"), String::new())
        }
        Err(error) => {
            let advice = error.advice().map(|advice| format!("{advice}\n")).unwrap_or_default();
            let text = error.to_string();
            let text = match error {
                // Ours, in several lines.
                CommandError::NoRoom(_) => text::shown_lines(&text),
                _ => text::shown(&text).into_owned(),
            };
            (String::new(), format!("error: {text}\n{advice}"))
        }
    }
}
