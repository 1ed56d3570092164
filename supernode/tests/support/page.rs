//! A guide's sessions: who types what, and what is printed; and what of that is another each time.

use std::collections::HashMap;

/// Stands for any number of lines.
const ELLIPSIS: &str = "…";
/// Fewest digits that stand for an id.
const BEGINNING: usize = 6;
/// Digits of an id.
const ID: usize = 32;

/// A command of a guide.
#[derive(Debug, Clone)]
pub struct Command {
    /// Whose prompt it stands behind.
    pub who: String,
    pub line: String,
    /// The lines that it prints.
    pub shows: Vec<String>,
}

/// A guide: what it says, and commands.
pub struct Page(Vec<Part>);

enum Part {
    Text(String),
    Command(Command),
}

impl Page {
    /// Takes the commands out of `console` blocks.
    pub fn read(text: &str) -> Page {
        let mut parts = Vec::new();
        let mut is_session = false;
        for line in text.lines() {
            let prompt = line.split_once("$ ").filter(|(who, _)| !who.is_empty() && is_name(who));
            match (is_session, prompt) {
                (true, Some((who, line))) => {
                    let (who, line) = (who.to_owned(), line.to_owned());
                    parts.push(Part::Command(Command { who, line, shows: Vec::new() }));
                }
                (true, None) if line != "```" => match parts.last_mut() {
                    Some(Part::Command(command)) => command.shows.push(line.to_owned()),
                    _ => panic!("{line} is nobody's"),
                },
                _ => {
                    is_session = line == "```console";
                    parts.push(Part::Text(line.to_owned()));
                }
            }
        }
        Page(parts)
    }

    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.0.iter().filter_map(|part| match part {
            Part::Command(command) => Some(command),
            Part::Text(_) => None,
        })
    }

    /// The page with these commands and what they print.
    pub fn with(&self, commands: &[(String, Vec<String>)]) -> String {
        let mut commands = commands.iter();
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(line) => text += &format!("{line}\n"),
                Part::Command(command) => {
                    let (line, shows) = commands.next().expect("as many");
                    text += &format!("{}$ {line}\n", command.who);
                    shows.iter().for_each(|line| text += &format!("{line}\n"));
                }
            }
        }
        text
    }
}

/// Which real id each id of the guide stands for, and the words that two people compare.
#[derive(Default)]
pub struct Seen {
    ids: HashMap<String, String>,
    words: Option<String>,
}

impl Seen {
    /// A text of the guide with the real ids, and beginnings of ids, in it.
    pub fn real(&self, text: &str) -> String {
        let mut real = String::new();
        for part in parts(text) {
            let known = || {
                let id =
                    self.ids.iter().find(|(id, _)| part.len() >= BEGINNING && id.starts_with(part));
                Some(&id?.1[..part.len()])
            };
            real += known().unwrap_or(part);
        }
        real
    }

    /// Whether this is printed as the guide shows it; remembers what ids stand for.
    pub fn meets(&mut self, shows: &[String], printed: &[String]) -> bool {
        let all = |lines: &[String]| lines.iter().flat_map(|line| ids(line)).collect::<Vec<_>>();
        for (id, real) in all(shows).into_iter().zip(all(printed)) {
            self.ids.entry(id).or_insert(real);
        }
        let mut words = printed.iter().filter(|line| is_words(line));
        let are_same = words.all(|line| self.words.get_or_insert_with(|| line.clone()) == line);
        are_same && self.is(shows, printed)
    }

    /// What the page shows of it: all that is printed, but for what it leaves out already.
    pub fn shown(&self, shows: &[String], printed: Vec<String>) -> Vec<String> {
        if !shows.iter().any(|line| line == ELLIPSIS) {
            return printed;
        }
        let like = |line: &String| {
            let shape_of = shape(&self.real(line));
            printed.iter().find(|printed| shape(printed) == shape_of).unwrap_or(line).clone()
        };
        shows.iter().map(like).collect()
    }

    fn is(&self, shows: &[String], printed: &[String]) -> bool {
        match (shows.split_first(), printed.split_first()) {
            (None, None) => true,
            (Some((line, rest)), _) if line == ELLIPSIS => {
                (0..=printed.len()).any(|skip| self.is(rest, &printed[skip..]))
            }
            (Some((line, rest)), Some((real, more))) => {
                shape(&self.real(line)) == shape(real) && self.is(rest, more)
            }
            _ => false,
        }
    }
}

/// A line without what is another each time: keys, passphrases, words, moments, how many replicas answered.
fn shape(line: &str) -> String {
    if is_words(line) {
        return "six words".to_owned();
    }
    let words: Vec<&str> = line.split(' ').collect();
    let mask = |(at, word): (usize, &&str)| {
        let bare = word.trim_matches(|c: char| ",;().".contains(c));
        let is_count = words.get(at + 1).is_some_and(|next| next.starts_with("super-node"));
        match () {
            () if is_key(bare) => word.replace(bare, "KEY"),
            () if is_moment(bare) => word.replace(bare, "TIME"),
            () if is_count && bare.parse::<u8>().is_ok() => "N".to_owned(),
            () => (*word).to_owned(),
        }
    };
    let masked: Vec<String> = words.iter().enumerate().map(mask).collect();
    let masked = masked.join(" ").replace("super-nodes", "super-node");
    if masked.starts_with('{') { masked_json(&masked) } else { masked }
}

/// An object without its keys and moments.
fn masked_json(line: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(line) else {
        return line.to_owned();
    };
    for (name, value) in json.as_object_mut().into_iter().flatten() {
        if matches!(name.as_str(), "key" | "stamp_ms" | "node") {
            *value = serde_json::Value::Null;
        }
    }
    json.to_string()
}

/// Whether it is the six words of two keys.
fn is_words(line: &str) -> bool {
    line.split_whitespace().count() == 6
        && line.split_whitespace().all(|word| word.len() == 4 && is_name(word))
}

/// Whether it is a fingerprint or a passphrase: five times four letters or digits.
fn is_key(word: &str) -> bool {
    let is_part = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_alphanumeric());
    word.split('-').count() == 5 && word.split('-').all(is_part)
}

/// Whether it is a day or an hour of this evening; the day that the guide itself names is not.
fn is_moment(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_day =
        word.len() == 10 && digits == 8 && word.bytes().filter(|b| *b == b'-').count() == 2;
    let is_hour = word.len() == 5 && digits == 4 && word.as_bytes()[2] == b':';
    is_day || is_hour
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// A text in pieces, each of hexadecimal digits alone or without any.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = is_hex(rest.chars().next()?);
        let end = rest.find(|c| is_hex(c) != first).unwrap_or(rest.len());
        let (part, more) = rest.split_at(end);
        rest = more;
        Some(part)
    })
}

fn ids(text: &str) -> Vec<String> {
    parts(text).filter(|part| part.len() == ID && is_hex(part)).map(str::to_owned).collect()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A command's words, as a shell reads them: single quotes keep what is between them.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    assert!(!is_quoted, "{line} has a quote that does not end");
    words.extend(word);
    words
}
