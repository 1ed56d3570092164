//! [`Screen`]: the terminal, while it is drawn on. Whatever happens, it is left as it was.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, EnableBracketedPaste, Event as Input, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers,
};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use super::model::Key;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken until this is dropped.
pub(super) struct Screen<W: Write> {
    terminal: Terminal<CrosstermBackend<W>>,
}

impl<W: Write> Screen<W> {
    /// Takes the terminal.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn take(out: W) -> io::Result<Screen<W>> {
        restore_before_panics();
        let terminal = Terminal::new(CrosstermBackend::new(out))?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // Dropped if one of these fails.
        let mut screen = Screen { terminal };
        // Terminal::clear would ask the terminal where its cursor is, and not all answer.
        execute!(
            screen.terminal.backend_mut(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            Clear(ClearType::All)
        )?;
        Ok(screen)
    }

    /// Draws it anew, as large as the terminal is now.
    ///
    /// # Errors
    /// The terminal's.
    pub(super) fn draw(&mut self, mut draw: impl FnMut(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame)).map(|_| ())
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        give_back(self.terminal.backend_mut());
    }
}

/// Leaves the terminal as it was, once.
fn give_back(out: &mut impl Write) {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nothing more can be done for a terminal that is gone.
        let _ = execute!(out, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic's message goes to the terminal as it was, where it can be read.
fn restore_before_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back(&mut io::stdout());
            before(panic);
        }));
    });
}

/// What somebody did, if it means anything.
pub(super) fn key(input: Input) -> Option<Key> {
    let KeyEvent { code, modifiers, kind, .. } = match input {
        Input::Key(key) => key,
        Input::Paste(text) => return Some(Key::Pasted(text)),
        _ => return None,
    };
    if kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        let ends = modifiers.contains(KeyModifiers::CONTROL) && code == KeyCode::Char('c');
        return ends.then_some(Key::Interrupt);
    }
    Some(match code {
        KeyCode::Tab | KeyCode::Right => Key::Tab,
        KeyCode::BackTab | KeyCode::Left => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Char(c) => Key::Char(c),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_what_means_nothing_is_left_out() {
        let press = |code, modifiers| key(Input::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(press(KeyCode::Char('Q'), KeyModifiers::SHIFT), Some(Key::Char('Q')));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::CONTROL), None);
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Key::BackTab));
        assert_eq!(press(KeyCode::F(1), KeyModifiers::NONE), None);
        let mut release = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        release.kind = KeyEventKind::Release;
        assert_eq!(key(Input::Key(release)), None);
        assert_eq!(key(Input::Paste("a\nb".to_owned())), Some(Key::Pasted("a\nb".to_owned())));
        assert_eq!(key(Input::Resize(80, 24)), None);
    }

    #[test]
    fn a_terminal_that_was_not_taken_is_left_alone_and_one_that_was_is_given_back_once() {
        let mut out = Vec::new();
        give_back(&mut out);
        assert!(out.is_empty());
        TAKEN.store(true, Ordering::SeqCst);
        give_back(&mut out);
        let said = String::from_utf8(out.clone()).unwrap();
        assert!(said.contains("\u{1b}[?1049l") && said.contains("\u{1b}[?25h"), "{said:?}");
        give_back(&mut out);
        assert_eq!(out.len(), said.len());
    }
}
