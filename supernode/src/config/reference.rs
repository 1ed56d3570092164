//! The reference page of the configuration, made from the options, and the test that the page and
//! the sample file in `docs/reference/` are up to date.

use std::io;
use std::path::Path;

use super::layer;
use super::options::{
    DEFAULT_HTTP, DEFAULT_P2P, DEFAULT_SIP, Options, definitions, is_list, is_number, is_switch,
    variable,
};
use super::{Config, Files, Surroundings};
use crate::passphrase::PassphraseFile;

const SAMPLE: &str = include_str!("../../../docs/reference/supernode.toml");

const INTRODUCTION: &str = "\
# Configuration

Every option of the daemon can be set on the command line, by an environment variable, or in a TOML
file that `--config FILE` or `SUPERNODE_CONFIG` names. There is no file unless one is named. Where
an option is set twice, the earlier in this order counts:

1. the command line,
2. the environment; a variable that is empty counts as not set,
3. the file,
4. the default.

`data` and `ephemeral` are one choice: the first in this order that makes it decides, so `--ephemeral`
on the command line overrules `data` in the file. Setting both in the same place is an error.

A list is taken whole from the first in this order that sets it. In a variable, commas stand between
its elements.

An unknown key in the file is an error that names the nearest known one. An unknown variable that
starts with `SUPERNODE_` is logged as a warning, since it may be another program's. A file that is
named and cannot be read is an error. Relative paths count from the directory the daemon was started
in, and `~` is not expanded.

Variables of switches take `true`, `false`, `1` or `0`. The command line takes `--ephemeral` for
`--ephemeral=true`; `--ephemeral=false` undoes what the environment or the file says.

`SUPERNODE_PASSPHRASE` holds the passphrase itself, and is no option: on the command line everybody on
the machine could read it. It and `SUPERNODE_PASSPHRASE_FILE` are one choice. [What a passphrase
protects](../concepts/trust.md).

The client commands (`supernode put` and so on) read neither the file nor the environment, but for
`SUPERNODE_PASSPHRASE`.
";

/// The page in Markdown.
fn reference() -> String {
    let mut page = format!(
        "{INTRODUCTION}\n## Options\n\n| command line | variable | key in the file | type | meaning |\n|---|---|---|---|---|\n"
    );
    for option in definitions() {
        let long = option.get_long().unwrap_or_default();
        let key = if long == "config" { "–".into() } else { format!("`{long}`") };
        let kind = match (is_switch(&option), is_list(&option)) {
            (true, _) => "boolean",
            (_, true) => "list of strings",
            _ if is_number(&option) => "integer",
            _ => "string",
        };
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let default = if is_switch(&option) { " [default: false]" } else { "" };
        page +=
            &format!("| `--{long}` | `{}` | {key} | {kind} | {help}{default} |\n", variable(long));
    }
    page + &format!(
        "\n## A sample file\n\n[`supernode.toml`](supernode.toml):\n\n```toml\n{SAMPLE}```\n"
    )
}

/// Compares a page of `docs/reference/` with what makes it; with `UPDATE_DOCS=1` writes it instead.
pub(crate) fn assert_page(file: &str, page: &str) {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(file);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        std::fs::write(&path, page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/reference/{file} is out of date; `UPDATE_DOCS=1 cargo test -p supernode` writes it"
    );
}

/// The sample with every option in it set.
fn uncommented() -> String {
    let lines = SAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(option) if !option.starts_with(' ') => option,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_page_is_what_the_options_make() {
    assert_page("configuration.md", &reference());
}

#[test]
fn the_sample_loads_and_states_the_defaults() {
    let (config, warnings) = resolve(uncommented());
    assert_eq!(warnings, []);
    let (default, _) = resolve(String::new());
    let of_the_machine =
        |config: Config| Config { name: String::new(), passphrase: None, ..config };
    assert_eq!(of_the_machine(config), of_the_machine(default));
    assert_eq!(resolve(SAMPLE.into()), resolve(String::new()), "as shipped it changes nothing");
}

fn resolve(file: String) -> (Config, Vec<super::Warning>) {
    let surroundings =
        Surroundings { variables: vec![("HOME".into(), "/home/ada".into())], host_name: None };
    let arguments = Options { config: Some("supernode.toml".into()), ..Options::default() };
    Config::resolve(arguments, &surroundings, &Sample(file)).unwrap()
}

/// The configuration file, and a passphrase in whatever file is named.
struct Sample(String);

impl Files for Sample {
    fn configuration(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.clone())
    }

    fn passphrase(&self, _: &Path) -> io::Result<PassphraseFile> {
        Ok(PassphraseFile { content: b"five random words".to_vec(), is_open: false })
    }
}

#[test]
fn the_sample_has_every_option() {
    let keys: toml::Table = uncommented().parse().unwrap();
    for option in definitions() {
        let long = option.get_long().unwrap();
        assert!(keys.contains_key(long) || long == "config", "{long} is not in the sample");
    }
    assert!(layer::file("supernode.toml".as_ref(), &uncommented()).is_ok());
    assert!(SAMPLE.contains(&DEFAULT_HTTP.to_string()));
    assert!(SAMPLE.contains(&DEFAULT_SIP.to_string()));
    assert!(SAMPLE.contains(&DEFAULT_P2P.to_string()));
}
