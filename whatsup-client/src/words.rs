//! Words: what a text is cut into for searching, alike whoever writes it and however: `Café`, `CAFÉ` and
//! `cafe` are one word, and so are `ﬁne` and `fine`.
//!
//! Scripts with spaces between words give words. Others (Chinese, Japanese, Thai, and Korean, whose words end
//! in what they do in the sentence) give runs of characters, in which any part is found.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

/// What is looked at of a text, in characters: a long post's beginning says what it is about.
pub const TEXT_MAX: usize = 4096;
/// Longest word, in characters; the rest of a longer one is not looked at. The longest in dictionaries
/// are told apart by less.
pub const WORD_MAX: usize = 24;
/// Longest run that is surely found whole, in characters. Longer ones are cut, each piece beginning with as
/// many less one of the piece before.
pub const RUN_MAX: usize = 8;
/// Fewest letters by which a word is found that has more.
pub const BEGINNING_MIN: usize = 3;
/// Under how many letters of its beginning a word is put. Under 3 letters lie the beginnings of many words;
/// with 5 most are told apart, and more lengths would only mean more puts.
const BEGINNINGS: [usize; 2] = [BEGINNING_MIN, 5];

/// A word, or a run of characters of a script without spaces; folded. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word(String);

/// How a word is met by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// It begins with it, or a run has it as a part.
    InPart,
    /// It is the same.
    Whole,
}

impl Word {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is put under in an index: its beginnings, or each character of a run, no one twice; without
    /// marks.
    pub fn beginnings(&self) -> Vec<String> {
        if self.is_run() {
            let characters: BTreeSet<char> = self.letters().collect();
            return characters.into_iter().map(String::from).collect();
        }
        let letters = self.letters().count();
        if letters <= BEGINNING_MIN {
            return vec![self.first(letters)];
        }
        let of_length = |length: &usize| self.first(*length);
        BEGINNINGS.iter().filter(|length| **length <= letters).map(of_length).collect()
    }

    /// Under which of these whoever looks for this word finds all that it meets, the one under which there is
    /// likely the least first, with how common that is: 0 is rare.
    pub fn sought_under(&self) -> Vec<(u8, String)> {
        if self.is_run() {
            let rated = |c: char| (commonness(c), String::from(c));
            let characters: BTreeSet<(u8, String)> = self.letters().map(rated).collect();
            return characters.into_iter().collect();
        }
        let letters = self.letters().count();
        let longest = BEGINNINGS.iter().rev().find(|length| **length <= letters);
        match longest {
            Some(&length) => vec![(u8::from(length == BEGINNING_MIN) * 2, self.first(length))],
            None => vec![(1, self.first(letters))],
        }
    }

    /// Whether a word that was looked for, this one, is met by one that was written. What is shorter than
    /// [`BEGINNING_MIN`] letters is met by the same only.
    pub fn met_by(&self, written: &str) -> Option<Met> {
        if self.0 == written {
            return Some(Met::Whole);
        }
        let in_part = if self.is_run() {
            written.contains(&self.0)
        } else {
            written.starts_with(&self.0) && self.letters().count() >= BEGINNING_MIN
        };
        in_part.then_some(Met::InPart)
    }

    fn is_run(&self) -> bool {
        self.0.chars().next().is_some_and(is_unspaced)
    }

    /// Its characters without the marks on them.
    fn letters(&self) -> impl Iterator<Item = char> {
        self.0.chars().filter(|c| !is_combining_mark(*c))
    }

    /// Its first letters.
    fn first(&self, letters: usize) -> String {
        self.letters().take(letters).collect()
    }
}

/// The words of a text that was written, in their order; one that comes twice is there twice.
pub fn written(text: &str) -> Vec<Word> {
    cut(text, RUN_MAX - 1)
}

/// The words of a text to look for, in their order; none twice.
pub fn sought(text: &str) -> Vec<Word> {
    let mut seen = BTreeSet::new();
    cut(text, 0).into_iter().filter(|word| seen.insert(word.clone())).collect()
}

/// The text's words; pieces of a long run overlap by so many characters.
fn cut(text: &str, overlap: usize) -> Vec<Word> {
    let folded = fold(text);
    let mut words = Vec::new();
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if word.chars().next().is_some_and(is_unspaced) {
            pieces(word, overlap, &mut words);
        } else if !word.is_empty() {
            words.push(Word(word.chars().take(WORD_MAX).collect()));
        }
        word.clear();
    };
    for c in folded.chars() {
        let first = word.chars().next();
        if is_combining_mark(c) {
            // It belongs to what is before it, of whatever script that is.
            if first.is_some() {
                word.push(c);
            }
            continue;
        }
        if !c.is_alphanumeric() {
            end(&mut word);
            continue;
        }
        if first.is_some_and(|first| is_unspaced(first) != is_unspaced(c)) {
            end(&mut word);
        }
        word.push(c);
    }
    end(&mut word);
    words
}

/// Cuts a run into pieces of [`RUN_MAX`] characters, the last one shorter.
fn pieces(run: &str, overlap: usize, words: &mut Vec<Word>) {
    let characters: Vec<char> = run.chars().collect();
    let mut from = 0;
    loop {
        let to = characters.len().min(from + if overlap > 0 { WORD_MAX } else { RUN_MAX });
        words.push(Word(characters[from..to].iter().collect()));
        if to == characters.len() {
            return;
        }
        from = to - overlap;
    }
}

/// A text without what writers differ in: case, width, ligatures, accents, and characters that are not seen.
fn fold(text: &str) -> String {
    let decomposed = text.chars().take(TEXT_MAX).nfkd().filter(|c| !is_dropped(*c));
    // What has no small letter of its own is folded by way of its capital: `ß` as `ss`, `ς` as `σ`.
    let folded = decomposed
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_dropped(*c));
    let mut plain = String::with_capacity(text.len());
    for c in folded {
        match in_plain_letters(c) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    plain.nfc().collect()
}

/// Letters that are written plainly where they are not on the keyboard, and do not come apart by themselves.
const fn in_plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ł' => "l",
        'þ' => "th",
        'ŧ' => "t",
        'ı' => "i",
        _ => return None,
    })
}

/// Accents of scripts that are read without them, vowel points of Hebrew and Arabic, and what is not seen.
/// Marks of other scripts make letters what they are, and stay.
const fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{591}'..='\u{5bd}'
            | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{640}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\u{ad}' | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_unspaced(c: char) -> bool {
    // ASCII is most of what comes here.
    !c.is_ascii()
        && (c == 'ー'
            || matches!(
                c.script(),
                Script::Han
                    | Script::Hiragana
                    | Script::Katakana
                    | Script::Hangul
                    | Script::Bopomofo
                    | Script::Thai
                    | Script::Lao
                    | Script::Khmer
                    | Script::Myanmar
            ))
}

/// Among how many others a character of a run stands: there are thousands of Han characters, about fifty
/// of hiragana, which are in every sentence.
fn commonness(c: char) -> u8 {
    match c.script() {
        Script::Han => 1,
        Script::Hangul => 2,
        Script::Hiragana => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
