//! The layers below the command line, the environment and the TOML file: from what they say to
//! [`Options`], or to an error that names the place.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Warning};
use super::options::{Options, Setting, definitions, is_list, is_number, is_switch, variable};
use crate::passphrase;

/// Where a layer's settings were read, as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    CommandLine,
    Environment,
    File(PathBuf),
}

impl Origin {
    /// How this layer calls an option.
    pub(super) fn name(&self, option: &str) -> String {
        match self {
            Origin::CommandLine => format!("--{option}"),
            Origin::Environment => variable(option),
            Origin::File(path) => format!("{option} in {}", path.display()),
        }
    }
}

/// What the environment sets. An empty variable is one that is not set; variables that only look
/// like ours are reported, since it may be another program's that they are.
pub(super) fn environment(
    variables: &[(OsString, OsString)],
) -> Result<(Options, Vec<Warning>), ConfigError> {
    let mut settings = Vec::new();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("SUPERNODE_")) else {
            continue;
        };
        // No option, for then it could be on the command line.
        if name == passphrase::VARIABLE {
            continue;
        }
        let definitions = definitions();
        let known: Vec<_> = definitions.iter().filter_map(clap::Arg::get_long).collect();
        match known.iter().find(|option| variable(option) == name) {
            Some(_) if value.is_empty() => {}
            Some(option) => {
                settings.push(Setting { option: (*option).into(), value: value.clone() });
            }
            None => warnings.push(Warning::UnknownVariable {
                name: name.into(),
                nearest: nearest(name, known.iter().map(|option| variable(option))),
            }),
        }
    }
    let options = Options::from_settings(&settings).map_err(|(index, expected)| {
        let Setting { option, value } = &settings[index];
        ConfigError::BadVariable { name: variable(option), value: shown(value), expected }
    })?;
    Ok((options, warnings))
}

/// What a TOML file sets, `text` being its content.
pub(super) fn file(path: &Path, text: &str) -> Result<Options, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        path: path.into(),
        line: error.span().map_or(1, |span| line(text, span.start)),
        message: error.message().into(),
    })?;
    let mut settings = Vec::new();
    let mut lines = Vec::new();
    for (key, value) in table.get_ref() {
        let line = line(text, key.span().start);
        let bad = |value: String, expected: &str| ConfigError::BadKey {
            path: path.into(),
            line,
            key: key.get_ref().to_string(),
            value,
            expected: expected.into(),
        };
        let definition = definition(path, line, key.get_ref())?;
        let values = texts(value.get_ref(), &definition)
            .map_err(|expected| bad(written(text, value.span(), value.get_ref()), expected))?;
        for value in values {
            settings.push(Setting { option: key.get_ref().to_string(), value: value.into() });
            lines.push(line);
        }
    }
    Options::from_settings(&settings).map_err(|(index, expected)| ConfigError::BadKey {
        path: path.into(),
        line: lines[index],
        key: settings[index].option.clone(),
        value: shown(&settings[index].value),
        expected,
    })
}

/// What a value of the file is on the command line: one text, or some for a list.
fn texts(value: &DeValue<'_>, option: &clap::Arg) -> Result<Vec<String>, &'static str> {
    const LIST: &str = "expected a list of strings in quotes, as in [\"192.0.2.1:5850\"]";
    match value {
        DeValue::Array(elements) if is_list(option) => {
            let text = |element: &Spanned<DeValue<'_>>| {
                element.get_ref().as_str().map(str::to_owned).ok_or(LIST)
            };
            elements.iter().map(text).collect()
        }
        _ if is_list(option) => Err(LIST),
        DeValue::Boolean(on) if is_switch(option) => Ok(vec![on.to_string()]),
        _ if is_switch(option) => Err("expected true or false"),
        DeValue::Integer(number) if is_number(option) => Ok(vec![number.to_string()]),
        _ if is_number(option) => Err("expected a whole number"),
        DeValue::String(text) => Ok(vec![text.to_string()]),
        _ => Err("expected a string in quotes"),
    }
}

/// The option a key of the file sets. A file cannot name the file.
fn definition(path: &Path, line: usize, key: &str) -> Result<clap::Arg, ConfigError> {
    let mut definitions = definitions();
    definitions.retain(|definition| definition.get_long() != Some("config"));
    let known: Vec<_> =
        definitions.iter().filter_map(|definition| Some(definition.get_long()?.into())).collect();
    definitions.into_iter().find(|definition| definition.get_long() == Some(key)).ok_or_else(|| {
        let path = path.into();
        ConfigError::UnknownKey {
            path,
            line,
            key: key.into(),
            nearest: nearest(key, known.iter().cloned()),
            known: known.join(", "),
        }
    })
}

/// The known word that was probably meant: at most a third of its letters differ.
fn nearest(word: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let distance = |known: &str| strsim::damerau_levenshtein(word, known);
    let likely = known.filter(|known| distance(known) * 3 <= known.len());
    likely.min_by_key(|known| distance(known))
}

/// The line an offset lies in, counted from 1.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A value in an error: short, on one line, in quotes.
fn shown(value: &OsStr) -> String {
    const MOST: usize = 60;
    let text = value.to_string_lossy();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// A value of the wrong type in an error: as the file has it, or its type if that can be long.
fn written(text: &str, span: std::ops::Range<usize>, value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shown(OsStr::new(text.as_ref())),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
        _ => text.get(span).unwrap_or_else(|| value.type_str()).into(),
    }
}
