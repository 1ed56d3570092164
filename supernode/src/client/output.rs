//! What a client command prints: lines for people, one JSON object for programs, or bare bytes.

mod names;
mod peers;
mod phones;

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use base::{Key, ServiceId};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use crate::cli::{ClientCommand, NodeUrl};

use super::error::ClientError;
use super::names::{Claimants, Outcome};
use super::registrations::{self, Registrations};

/// Bytes of a value that is not text which people are shown; enough to know a file's type by.
const HEX_MAX: usize = 32;

/// Characters of a fault's text which people are shown; a hostile node's could fill the screen.
const MESSAGE_MAX: usize = 400;

/// What a node answered.
#[derive(Debug)]
pub(super) enum Answer {
    Stored { replicas: i64, latency_ms: f64 },
    Values { key: Key, values: Vec<Vec<u8>> },
    Removed { key: Key, found: bool },
    Services { services: Vec<String> },
    Providers { service: ServiceId, contacts: Vec<String> },
    Advertised,
    Withdrawn { service: ServiceId, found: bool },
    Claimants(Claimants),
    Claimed(Outcome),
    PhonePassword(super::phones::Outcome),
    Registrations(Registrations),
    Status { node: NodeUrl, status: Json },
}

/// For whom an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    People,
    Json,
    Raw,
}

/// What goes to the standard streams, and the exit code.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) out: Vec<u8>,
    pub(super) err: String,
    pub(super) code: u8,
}

impl Format {
    pub(super) fn of(command: &ClientCommand) -> Format {
        match command {
            _ if command.connection().json => Format::Json,
            ClientCommand::Get(get) if get.raw => Format::Raw,
            _ => Format::People,
        }
    }
}

impl Printed {
    /// Writes to the streams. A reader that went away, `head` for one, has what it wanted.
    pub(super) fn write(&self, out: &mut impl io::Write, err: &mut impl io::Write) -> ExitCode {
        // Nothing can be said about a standard error that is gone.
        let _ = err.write_all(self.err.as_bytes());
        match out.write_all(&self.out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let _ = writeln!(err, "error: standard output cannot be written: {error}");
                ExitCode::from(3)
            }
            _ => ExitCode::from(self.code),
        }
    }
}

/// Turns what came of a command into what is printed.
pub(super) fn render(answer: Result<Answer, ClientError>, format: Format) -> Printed {
    match (answer, format) {
        (Ok(answer), Format::Json) => {
            Printed { out: line(&as_json(&answer)), err: String::new(), code: code(&answer) }
        }
        (Ok(Answer::Values { values, .. }), Format::Raw) => {
            Printed { code: u8::from(values.is_empty()), out: values.concat(), err: String::new() }
        }
        (Ok(answer), _) => for_people(&answer),
        (Err(error), Format::Json) => Printed {
            out: line(&error_as_json(&error)),
            err: String::new(),
            code: error.exit_code(),
        },
        (Err(error), _) => {
            let advice = error.advice().map(|advice| format!("{advice}\n")).unwrap_or_default();
            Printed {
                out: Vec::new(),
                err: format!("error: {}\n{advice}", harmless(&error.to_string())),
                code: error.exit_code(),
            }
        }
    }
}

fn code(answer: &Answer) -> u8 {
    match answer {
        Answer::Values { values, .. } => u8::from(values.is_empty()),
        Answer::Removed { found, .. } => u8::from(!found),
        Answer::Services { services } => u8::from(services.is_empty()),
        Answer::Providers { contacts, .. } => u8::from(contacts.is_empty()),
        Answer::Withdrawn { found, .. } => u8::from(!found),
        Answer::Claimants(found) => u8::from(found.holder.is_none() && found.others.is_empty()),
        Answer::Claimed(outcome) => u8::from(!names::is_done(outcome)),
        Answer::PhonePassword(outcome) => u8::from(!phones::is_done(outcome)),
        Answer::Registrations(found) => u8::from(found.registrations.is_empty()),
        Answer::Stored { .. } | Answer::Advertised | Answer::Status { .. } => 0,
    }
}

fn line(json: &Json) -> Vec<u8> {
    format!("{json}\n").into_bytes()
}

fn as_json(answer: &Answer) -> Json {
    match answer {
        Answer::Stored { replicas, latency_ms } => {
            json!({"replicas": replicas, "latency_ms": latency_ms})
        }
        Answer::Values { key, values } => {
            let values: Vec<_> = values.iter().map(|value| bytes_as_json(value)).collect();
            json!({"key": bytes_as_json(key.as_bytes()), "values": values})
        }
        Answer::Removed { found, .. } => json!({"removed": found}),
        Answer::Services { services } => json!({"services": services}),
        Answer::Providers { service, contacts } => {
            json!({"service": service.as_str(), "contacts": contacts})
        }
        Answer::Advertised => json!({"advertised": true}),
        Answer::Withdrawn { found, .. } => json!({"withdrawn": found}),
        Answer::Claimants(claimants) => names::as_json(claimants),
        Answer::Claimed(outcome) => names::outcome_as_json(outcome),
        Answer::PhonePassword(outcome) => phones::as_json(outcome),
        Answer::Registrations(found) => json!(found),
        Answer::Status { status, .. } => status.clone(),
    }
}

/// `{"text": …}` for what is UTF-8, else `{"base64": …}`.
fn bytes_as_json(bytes: &[u8]) -> Json {
    match str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}

/// A code is there only if it was the node that refused.
fn error_as_json(error: &ClientError) -> Json {
    match error {
        ClientError::Fault { code, message } => {
            json!({"error": {"code": code, "message": message}})
        }
        other => json!({"error": {"message": other.to_string()}}),
    }
}

fn for_people(answer: &Answer) -> Printed {
    let (out, err) = match answer {
        Answer::Stored { replicas, latency_ms } => {
            let copies = if *replicas == 1 { "copy" } else { "copies" };
            (format!("stored: {replicas} {copies}, {latency_ms:.1} ms\n"), String::new())
        }
        Answer::Values { key, values } if values.is_empty() => {
            (String::new(), format!("no value under {}\n", shown(key.as_bytes())))
        }
        Answer::Values { values, .. } => value_lines(values),
        Answer::Removed { found: true, .. } => ("removed\n".into(), String::new()),
        Answer::Removed { key, found: false } => {
            (String::new(), format!("no such value under {}\n", shown(key.as_bytes())))
        }
        Answer::Services { services } if services.is_empty() => {
            (String::new(), "nobody offers a service\n".into())
        }
        Answer::Services { services: texts } => (lines(texts), String::new()),
        Answer::Providers { service, contacts } if contacts.is_empty() => {
            (String::new(), format!("nobody offers {service}\n"))
        }
        Answer::Providers { contacts: texts, .. } => (lines(texts), String::new()),
        Answer::Advertised => ("advertised\n".into(), String::new()),
        Answer::Withdrawn { found: true, .. } => ("withdrawn\n".into(), String::new()),
        Answer::Withdrawn { service, found: false } => {
            (String::new(), format!("nobody offers {service} there\n"))
        }
        Answer::Claimants(found) if found.holder.is_none() && found.others.is_empty() => {
            (String::new(), format!("nobody claims {}\n", found.name))
        }
        Answer::Claimants(claimants) => (names::lines(claimants), String::new()),
        Answer::Claimed(outcome) => names::outcome(outcome),
        Answer::PhonePassword(outcome) => phones::lines(outcome),
        Answer::Registrations(found) if found.registrations.is_empty() => {
            (String::new(), "nobody is registered here\n".into())
        }
        Answer::Registrations(found) => (
            registrations::lines(found).lines().map(|line| harmless(line) + "\n").collect(),
            String::new(),
        ),
        Answer::Status { node, status } => (status_lines(node, status), String::new()),
    };
    Printed { out: out.into_bytes(), err, code: code(answer) }
}

/// Texts of a node's, a line each.
fn lines(texts: &[String]) -> String {
    texts.iter().map(|text| harmless(text) + "\n").collect()
}

/// The values, a line each, and the note that some are not shown as they are.
fn value_lines(values: &[Vec<u8>]) -> (String, String) {
    const NOTE: &str = "note: not every value is plain text; --raw or --json gives all bytes\n";
    let lines = values.iter().map(|value| shown(value) + "\n").collect();
    let plain = values.iter().all(|value| plain(value).is_some());
    (lines, if plain { String::new() } else { NOTE.into() })
}

/// Bytes as the text they are, if it fits on one line and does nothing to a terminal.
fn plain(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    (!text.is_empty() && text.chars().all(is_printable)).then_some(text)
}

/// Bytes on one line: text as it is, or with escapes and in quotes if it has line breaks; what else
/// there is in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    if let Some(text) = plain(bytes) {
        return text.into();
    }
    match str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| is_printable(c) || "\n\r\t".contains(c)) => quoted(text),
        _ => hex(bytes),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes.iter().take(HEX_MAX) {
        let _ = write!(hex, "{byte:02x}");
    }
    let more = if bytes.len() > HEX_MAX { "…" } else { "" };
    let unit = if bytes.len() == 1 { "byte" } else { "bytes" };
    format!("{hex}{more} ({} {unit}, not text)", bytes.len())
}

/// Whether a character does nothing but stand in its place: it is no control character, and none
/// that breaks lines or turns the direction of the text around it.
fn is_printable(c: char) -> bool {
    let turns = matches!(c,
        '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

/// Somebody else's text, fit for a terminal.
fn harmless(text: &str) -> String {
    let mut harmless: String = text
        .chars()
        .take(MESSAGE_MAX)
        .map(|c| if is_printable(c) { c } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(MESSAGE_MAX).is_some() {
        harmless.push('…');
    }
    harmless
}

/// The fields of a status that are there, a line each; then the peers, a line each.
fn status_lines(node: &NodeUrl, status: &Json) -> String {
    let text = |field: &str| status[field].as_str().map(harmless);
    let requests = status["load"]["requests_per_second"].as_f64();
    let in_flight = status["load"]["in_flight"].as_u64();
    let load: Vec<_> = [
        requests.map(|rate| format!("{rate:.1} requests/s")),
        in_flight.map(|count| format!("{count} in flight")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let entries = status["entries"].as_u64().map(|entries| match status["bytes"].as_u64() {
        Some(bytes) => format!("{entries} ({})", size(bytes)),
        None => entries.to_string(),
    });
    let services = status["services"].as_array().map(|services| {
        let names: Vec<_> = services.iter().filter_map(Json::as_str).map(harmless).collect();
        names.join(", ")
    });
    let fields = [
        ("id", text("id")),
        ("name", text("name")),
        ("version", text("version")),
        ("address", Some(node.to_string())),
        ("phase", text("phase")),
        ("peers", status["peers"].as_array().map(|peers| peers.len().to_string())),
        ("replicas", status["replicas"].as_u64().map(|replicas| replicas.to_string())),
        ("entries", entries),
        ("services", services),
        ("uptime", status["uptime_s"].as_u64().map(duration)),
        ("load", Some(load.join(", "))),
    ];
    let mut lines = String::new();
    for (name, value) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(lines, "{name:<10}{value}");
        }
    }
    let table = peers::table(&status["peers"]);
    if !table.is_empty() {
        lines = lines + "\n" + &table;
    }
    lines
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = if bytes == 1 { "byte" } else { "bytes" };
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if bytes < 1024 { format!("{bytes} {unit}") } else { format!("{size:.1} {unit}") }
}

/// The two largest units of a duration.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        86_400.. => format!("{days} d {} h", hours % 24),
        3600.. => format!("{hours} h {} min", minutes % 60),
        60.. => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests;
