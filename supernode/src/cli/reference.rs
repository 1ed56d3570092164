//! The reference page of the command line, made from clap's definitions, and the test that it is up
//! to date.

use clap::{Arg, Command};

use crate::config::assert_page;

const INTRODUCTION: &str = "\
# Command line

What `supernode --help` and `supernode COMMAND --help` say. `supernode man` prints it as a
man page, `supernode completions SHELL` a script that completes it. The daemon's options can also be
set by variables and in a file: see [Configuration](configuration.md).
";

const JSON: &str = r#"
## What `--json` prints

One object on one line of standard output:

| command | object |
|---|---|
| `put` | `{"latency_ms":0.8,"replicas":1}`: copies on disk when the node answered, and how long it took |
| `get` | `{"key":{"text":"colour"},"values":[{"text":"red\n"},{"base64":"/wA="}]}`: what is not UTF-8 is base64 |
| `rm` | `{"removed":true}`, or false if there was no such value |
| `services` | `{"services":["P2PSIP"]}` |
| `services ID` | `{"contacts":["192.0.2.1:5061"],"service":"P2PSIP"}` |
| `advertise` | `{"advertised":true}` |
| `withdraw` | `{"withdrawn":true}`, or false if it was not offered there |
| `names NAME` | `{"holder":{"fingerprint":"…","held_s":3,"key":"…","name":"alice","tagged":"alice~4f2a"},"name":"alice","others":[]}`; `holder` is null while nobody has it |
| `claim` | `{"fingerprint":"…","key":"…","name":"alice","passphrase":"…","state":"confirmed"}`: `passphrase` if one was made; `state` may be `pending`, `withdrawn`, or `lost`, then with `holder` |
| `status` | what the node gives at `/api/v1/status` |
| refused | `{"error":{"code":7,"message":"wrong secret"}}`: the XML-RPC fault |
| failed otherwise | `{"error":{"message":"http://127.0.0.1:5851 did not answer within 10 s"}}` |
"#;

/// The page in Markdown.
fn reference() -> String {
    let mut root = super::command();
    root.build();
    let mut page = INTRODUCTION.to_owned() + &section(&root);
    for command in root.get_subcommands() {
        page += &section(command);
    }
    page + JSON
}

/// What one command does and takes.
fn section(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<_> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    let about = command.get_long_about().or_else(|| command.get_about());
    let mut text = format!("\n## `{name}`\n\n```text\n{}\n```\n", usage.join("\n"));
    if let Some(about) = about {
        // clap takes the full stop off a description of one paragraph only.
        text += &format!("\n{}.\n", about.to_string().trim_end_matches('.'));
    }
    let (positionals, options): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        .partition(|argument| argument.is_positional());
    text += &table("argument", &positionals);
    text += &table("option", &options);
    if let Some(after) = command.get_after_help() {
        text += &format!("\n{after}\n");
    }
    text
}

fn table(heading: &str, arguments: &[&Arg]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {heading} | meaning |\n|---|---|\n");
    for argument in arguments {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        text += &format!("| `{argument}` | {help}{} |\n", notes(argument));
    }
    text
}

/// The default and the choices, as the help shows them.
fn notes(argument: &Arg) -> String {
    let mut notes = String::new();
    if !argument.get_num_args().is_some_and(|range| range.takes_values()) {
        return notes;
    }
    if let [default] = argument.get_default_values() {
        notes += &format!(" [default: {}]", default.to_string_lossy());
    }
    let choices: Vec<_> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !choices.is_empty() {
        notes += &format!(" [possible values: {}]", choices.join(", "));
    }
    notes
}

#[test]
fn the_page_is_what_the_definitions_make() {
    assert_page("command-line.md", &reference());
}

#[test]
fn the_page_has_every_command_and_option() {
    let page = reference();
    for part in ["## `supernode`", "## `supernode rm`", "`--secret-file <FILE>`", "zsh", "`<KEY>`"]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}
