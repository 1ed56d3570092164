//! [`Context`]: all that a command may use beside its arguments.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::answer::{Answer, printed};
use super::error::CommandError;
use super::home::Home;
use crate::author::Author;
use crate::net::Net;
use crate::private::{Device, Kept, Private};
use crate::upkeep::Owner;

/// The variable that may hold a name's passphrase, as for `supernode`.
const NAME_PASSPHRASE: &str = "SUPERNODE_NAME_PASSPHRASE";

/// The variable that asks for no colours, whatever it says unless that is nothing.
const NO_COLOR: &str = "NO_COLOR";

/// Standard input, output and error.
pub struct Streams<'a> {
    /// Where commands read.
    pub stdin: &'a mut (dyn Read + Send),
    /// Where answers go.
    pub out: &'a mut (dyn Write + Send),
    /// Where what only people need goes.
    pub err: &'a mut (dyn Write + Send),
}

/// What a command has of its machine.
#[derive(Clone)]
pub struct Surroundings {
    /// Where the person's key is kept.
    pub home: Home,
    /// Milliseconds since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// A name's passphrase, if the environment has one.
    pub name_passphrase: Option<Zeroizing<String>>,
    /// What standard output is drawn on, if it is a terminal that can be drawn on.
    pub terminal: Option<TerminalKind>,
}

/// A terminal that can be drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalKind {
    /// With colours.
    Colours,
    /// Without: NO_COLOR is set.
    Plain,
}

/// All that a command may use beside its arguments.
pub struct Context<'a> {
    net: &'a Net,
    around: &'a Surroundings,
    json: bool,
    streams: Streams<'a>,
}

impl Surroundings {
    /// With this process's clock and environment.
    pub fn new(home: Home) -> Surroundings {
        let now_ms = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        };
        let name_passphrase = std::env::var(NAME_PASSPHRASE).ok().filter(|text| !text.is_empty());
        let name_passphrase = name_passphrase.map(Zeroizing::new);
        let terminal = TerminalKind::of_process();
        Surroundings { home, now_ms: Arc::new(now_ms), name_passphrase, terminal }
    }
}

impl TerminalKind {
    /// Of this process's standard output, by what the environment says of it.
    fn of_process() -> Option<TerminalKind> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        let kind = match is_set(NO_COLOR) {
            true => TerminalKind::Plain,
            false => TerminalKind::Colours,
        };
        (io::stdout().is_terminal() && !is_dumb).then_some(kind)
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(
        net: &'a Net,
        around: &'a Surroundings,
        json: bool,
        streams: Streams<'a>,
    ) -> Context<'a> {
        Context { net, around, json, streams }
    }

    /// As this one, with other streams: for what is done beside it.
    pub(super) fn beside<'b>(&self, streams: Streams<'b>) -> Context<'b>
    where
        'a: 'b,
    {
        Context { net: self.net, around: self.around, json: self.json, streams }
    }

    /// Standard output, to be drawn on.
    pub(super) fn out(&mut self) -> &mut (dyn Write + Send) {
        self.streams.out
    }

    /// What a terminal is like, if standard output is one.
    pub fn terminal(&self) -> Option<TerminalKind> {
        self.around.terminal
    }

    /// The overlay.
    pub fn net(&self) -> &'a Net {
        self.net
    }

    /// Where the person's key is kept.
    pub fn home(&self) -> &'a Home {
        &self.around.home
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        (self.around.now_ms)()
    }

    /// Whether the answer is for programs.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Who is logged in.
    ///
    /// # Errors
    /// [`CommandError::NotLoggedIn`], or that the key's file cannot be read.
    pub fn me(&self) -> Result<Author, CommandError> {
        let person = self.home().person()?.ok_or(CommandError::NotLoggedIn)?;
        Ok(self.author(person.name, person.key))
    }

    /// Whose key this name is, if anybody has it.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn holder(&self, name: &base::Name) -> Result<Option<base::PublicKey>, CommandError> {
        let mut holders = self.net.holders(std::slice::from_ref(name)).await;
        Ok(holders.pop().unwrap_or(Ok(None))?)
    }

    /// What whoever is logged in keeps for herself.
    ///
    /// # Errors
    /// As of [`Context::me`].
    pub fn private(&self) -> Result<Private, CommandError> {
        Ok(self.owner(self.me()?)?.private())
    }

    /// What whoever is logged in keeps for herself, as it is now; nothing of nobody.
    ///
    /// # Errors
    /// As of [`Context::me`], and the overlay's.
    pub async fn kept(&self) -> Result<Kept, CommandError> {
        match self.home().person()? {
            Some(_) => Ok(self.private()?.read().await?),
            None => Ok(Kept::default()),
        }
    }

    /// Somebody who has things in the overlay, at this device.
    ///
    /// # Errors
    /// [`CommandError::File`], or that the system gives no randomness.
    pub fn owner(&self, author: Author) -> Result<Owner, CommandError> {
        let device = match self.home().device()? {
            Some(device) => device,
            None => {
                let device = Device(self.random()?);
                self.home().keep_device(device)?;
                device
            }
        };
        Ok(Owner { net: self.net.clone(), author, device })
    }

    /// A name's passphrase, if the environment has one.
    pub fn name_passphrase(&self) -> Option<Zeroizing<String>> {
        self.around.name_passphrase.clone()
    }

    /// A person with this machine's clock.
    pub fn author(&self, name: base::Name, key: base::SigningKey) -> Author {
        let now_ms = Arc::clone(&self.around.now_ms);
        Author::with_clock(name, key, move || now_ms())
    }

    /// Random bytes that nobody can guess.
    ///
    /// # Errors
    /// That the system gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], CommandError> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            filled +=
                getrandom(&mut bytes[filled..], GetRandomFlags::empty()).map_err(|error| {
                    CommandError::Machine(format!("the system gives no random numbers: {error}"))
                })?;
        }
        Ok(bytes)
    }

    /// At most `max` bytes of standard input.
    ///
    /// # Errors
    /// [`CommandError::StandardInput`]; a usage error if there is more.
    pub fn read_stdin(&mut self, max: usize) -> Result<Vec<u8>, CommandError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let read = (&mut *self.streams.stdin).take(limit).read_to_end(&mut bytes);
        read.map_err(CommandError::StandardInput)?;
        if bytes.len() > max {
            let text = format!("standard input has more than {max} bytes, which is the limit");
            return Err(CommandError::Usage(text));
        }
        Ok(bytes)
    }

    /// Says something to people at once, on standard error; nothing to programs.
    pub fn tell(&mut self, text: &str) {
        if !self.json {
            // Nothing can be said about a standard error that is gone.
            let _ = writeln!(self.streams.err, "{text}").and_then(|()| self.streams.err.flush());
        }
    }

    /// Prints one answer of several, at once. Who goes on reading, goes on.
    ///
    /// # Errors
    /// [`CommandError::StandardOutput`].
    pub fn emit(&mut self, answer: Answer) -> Result<(), CommandError> {
        let (out, err) = printed(&Ok(answer), self.json);
        let _ = self.streams.err.write_all(err.as_bytes());
        let out = self.streams.out.write_all(out.as_bytes());
        out.and_then(|()| self.streams.out.flush()).map_err(CommandError::StandardOutput)
    }

    /// Prints what came of the command: the exit code.
    pub(super) fn end(self, answer: &Result<Answer, CommandError>) -> u8 {
        print(answer, self.json, self.streams)
    }
}

/// Prints what came of a command: the exit code. A reader that went away, `head` for one, has what it wanted.
pub(super) fn print(answer: &Result<Answer, CommandError>, json: bool, streams: Streams<'_>) -> u8 {
    if let Err(CommandError::StandardOutput(error)) = answer
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return 0;
    }
    let Streams { out, err, .. } = streams;
    let (text, note) = printed(answer, json);
    let _ = err.write_all(note.as_bytes());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let error = CommandError::StandardOutput(error);
            let _ = writeln!(err, "error: {error}");
            error.exit_code()
        }
        _ => answer.as_ref().map_or_else(CommandError::exit_code, Answer::code),
    }
}
