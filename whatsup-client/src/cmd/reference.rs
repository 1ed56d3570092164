//! The reference page of the command, made from clap's definitions, and the test that it is up to date.

use clap::{Arg, Command};

const INTRODUCTION: &str = "\
# The command `whatsup`

What `whatsup --help` and `whatsup COMMAND --help` say. `whatsup man` prints it as a man page, `whatsup
completions SHELL` a script that completes it. Tables are for people and may change; with `--json` each
command prints one object on one line, and a failure is `{\"error\":{\"code\":4,\"message\":\"…\"}}` with the
exit code.
";

/// The page in Markdown.
fn reference() -> String {
    let mut root = super::command();
    root.build();
    let mut page = INTRODUCTION.to_owned() + &section(&root, false);
    commands(&root, &mut page);
    page
}

fn commands(command: &Command, page: &mut String) {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        if command.has_subcommands() {
            commands(command, page);
        } else {
            *page += &section(command, true);
        }
    }
}

/// What one command does and takes.
fn section(command: &Command, own_only: bool) -> String {
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
        .filter(|argument| !(own_only && argument.is_global_set()))
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
    let page = reference();
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/whatsup.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/reference/whatsup.md is out of date; `UPDATE_DOCS=1 cargo test -p whatsup-client` writes it"
    );
}

#[test]
fn the_page_has_every_command_and_option() {
    let page = reference();
    for part in ["## `whatsup`", "## `whatsup services`", "`--node <URL>`", "zsh"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}
