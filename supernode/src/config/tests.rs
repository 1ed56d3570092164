//! Tables of what each layer says and what comes of it.

use clap::Parser;

use super::*;

/// The daemon's command line without what is beside the options.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

const FILE: &str = "supernode.toml";

/// Resolves a command line without the program's name, variables `A=b` and a file.
fn resolve(
    line: &str,
    variables: &[&str],
    file: Option<&str>,
) -> Result<(Config, Vec<Warning>), ConfigError> {
    let mut words: Vec<_> = std::iter::once("supernode").chain(line.split_whitespace()).collect();
    words.extend(file.map(|_| "--config=supernode.toml"));
    let arguments = Line::parse_from(words).options;
    let surroundings = Surroundings {
        variables: variables
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .chain([("HOME".into(), "/home/ada".into())])
            .collect(),
        host_name: Some("laptop.example".into()),
    };
    Config::resolve(arguments, &surroundings, &Shelf(file.map(str::to_owned)))
}

/// A configuration file called [`FILE`], and files of passphrases that are called what they hold; who
/// may read them is in the name, too.
struct Shelf(Option<String>);

impl Files for Shelf {
    fn configuration(&self, path: &Path) -> io::Result<String> {
        let text = self.0.clone().filter(|_| path == Path::new(FILE));
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn passphrase(&self, path: &Path) -> io::Result<PassphraseFile> {
        let name = path.to_str().unwrap();
        match name {
            "missing" => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(PassphraseFile {
                content: format!("{name}\n").into(),
                is_open: name.contains("open"),
            }),
        }
    }
}

/// No files.
const NO_FILES: Shelf = Shelf(None);

fn config(line: &str, variables: &[&str], file: &str) -> Config {
    resolve(line, variables, Some(file)).unwrap().0
}

fn error(variables: &[&str], file: &str) -> String {
    resolve("", variables, Some(file)).unwrap_err().to_string()
}

fn directory(path: &str) -> Storage {
    Storage::Directory(path.into())
}

#[test]
fn without_any_layer_there_are_the_defaults() {
    let (config, warnings) = resolve("", &[], None).unwrap();
    let expected = Config {
        name: "laptop".into(),
        storage: directory("/home/ada/.local/share/supernode"),
        http: "0.0.0.0:5851".parse().unwrap(),
        sip: "0.0.0.0:5060".parse().unwrap(),
        sip_rate: 100,
        p2p: "0.0.0.0:5850".parse().unwrap(),
        join: vec![],
        discovery: true,
        passphrase: None,
        public_metrics: false,
        log: "info".into(),
    };
    assert_eq!((config, warnings), (expected, vec![]));
}

#[test]
fn every_option_is_read_from_every_layer() {
    let expected = Config {
        name: "n".into(),
        storage: directory("/d"),
        http: "[::1]:0".parse().unwrap(),
        sip: "[::1]:2".parse().unwrap(),
        sip_rate: 7,
        p2p: "[::1]:1".parse().unwrap(),
        join: vec!["a:1".parse().unwrap(), "b:2".parse().unwrap()],
        discovery: false,
        passphrase: Some(Passphrase::new("eight-or-more").unwrap()),
        public_metrics: true,
        log: "debug".into(),
    };
    let line = "--name n --data /d --http [::1]:0 --sip [::1]:2 --sip-rate 7 --p2p [::1]:1 --join a:1 --join b:2 \
        --no-discovery --passphrase-file eight-or-more --public-metrics --log debug";
    assert_eq!(config(line, &[], ""), expected);
    let variables = [
        "SUPERNODE_NAME=n",
        "SUPERNODE_DATA=/d",
        "SUPERNODE_HTTP=[::1]:0",
        "SUPERNODE_SIP=[::1]:2",
        "SUPERNODE_SIP_RATE=7",
        "SUPERNODE_P2P=[::1]:1",
        "SUPERNODE_JOIN=a:1,b:2",
        "SUPERNODE_NO_DISCOVERY=1",
        "SUPERNODE_PASSPHRASE_FILE=eight-or-more",
        "SUPERNODE_PUBLIC_METRICS=1",
        "SUPERNODE_LOG=debug",
    ];
    assert_eq!(config("", &variables, ""), expected);
    let file = "name = 'n'\ndata = '/d'\nhttp = '[::1]:0'\nsip = '[::1]:2'\nsip-rate = 7\np2p = '[::1]:1'\njoin = ['a:1', 'b:2']\n\
        no-discovery = true\npassphrase-file = 'eight-or-more'\npublic-metrics = true\nlog = 'debug'\n";
    assert_eq!(config("", &[], file), expected);
}

#[test]
fn the_command_line_beats_the_environment_and_that_the_file() {
    let variables = ["SUPERNODE_NAME=variable", "SUPERNODE_LOG=warn"];
    let file = "name = 'file'\nlog = 'trace'\nhttp = '127.0.0.1:1'\npublic-metrics = true";
    let config = config("--name line --public-metrics=false", &variables, file);
    assert_eq!((config.name.as_str(), config.log.as_str()), ("line", "warn"));
    assert_eq!((config.http.port(), config.public_metrics), (1, false));
}

#[test]
fn a_list_is_taken_whole_from_the_first_layer_that_sets_it() {
    let joined = |line: &str, variable: &str, file: &str| -> Vec<String> {
        config(line, &[variable], file).join.iter().map(ToString::to_string).collect()
    };
    let file = "join = ['file:1', 'file:2']";
    assert_eq!(joined("--join line:1", "SUPERNODE_JOIN=variable:1", file), ["line:1"]);
    assert_eq!(joined("--join a:1,b:1 --join c:1", "", file), ["a:1", "b:1", "c:1"]);
    assert_eq!(joined("", "SUPERNODE_JOIN=variable:1", file), ["variable:1"]);
    assert_eq!(joined("", "SUPERNODE_JOIN=", file), ["file:1", "file:2"]);
    assert_eq!(joined("", "", "join = []"), [""; 0]);
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = config("", &["SUPERNODE_HTTP=", "SUPERNODE_EPHEMERAL="], "http = '127.0.0.1:1'");
    assert_eq!(config.http.port(), 1);
    assert_eq!(config.storage, directory("/home/ada/.local/share/supernode"));
}

/// Every configuration file sets its own path for the name.
struct NamedAfterTheFile;

impl Files for NamedAfterTheFile {
    fn configuration(&self, path: &Path) -> io::Result<String> {
        Ok(format!("ephemeral = true\nname = '{}'", path.display()))
    }

    fn passphrase(&self, _: &Path) -> io::Result<PassphraseFile> {
        unreachable!("none is named")
    }
}

#[test]
fn a_variable_names_the_file_and_the_command_line_another() {
    let read = |line: &str| {
        let mut words = vec!["supernode"];
        words.extend(line.split_whitespace());
        let surroundings = Surroundings {
            variables: vec![("SUPERNODE_CONFIG".into(), "variable.toml".into())],
            host_name: None,
        };
        let arguments = Line::parse_from(words).options;
        Config::resolve(arguments, &surroundings, &NamedAfterTheFile).unwrap().0.name
    };
    assert_eq!(read(""), "variable.toml");
    assert_eq!(read("--config line.toml"), "line.toml");
}

#[test]
fn where_things_are_kept_is_one_choice_of_the_first_layer_that_makes_it() {
    let default = || directory("/home/ada/.local/share/supernode");
    for (line, variable, file, storage) in [
        ("--ephemeral", "", "data = '/file'", Storage::Ephemeral),
        ("--ephemeral", "SUPERNODE_DATA=/variable", "", Storage::Ephemeral),
        ("--data /line", "SUPERNODE_EPHEMERAL=true", "ephemeral = true", directory("/line")),
        ("--data /line", "", "data = '/file'\nephemeral = true", directory("/line")),
        ("", "SUPERNODE_EPHEMERAL=1", "data = '/file'", Storage::Ephemeral),
        ("", "SUPERNODE_DATA=/variable", "ephemeral = true", directory("/variable")),
        ("", "SUPERNODE_EPHEMERAL=0", "ephemeral = true", default()),
        ("", "SUPERNODE_EPHEMERAL=false", "ephemeral = true\ndata = '/file'", directory("/file")),
        ("--ephemeral=false", "SUPERNODE_EPHEMERAL=true", "data = '/file'", directory("/file")),
        ("", "", "data = '/file'\nephemeral = false", directory("/file")),
        ("", "", "ephemeral = false", default()),
    ] {
        let config = config(line, &[variable], file);
        assert_eq!(config.storage, storage, "{line} | {variable} | {file}");
    }
}

#[test]
fn both_ways_of_keeping_things_in_one_layer_contradict() {
    assert_eq!(
        error(&[], "data = '/d'\nephemeral = true"),
        "data in supernode.toml and ephemeral in supernode.toml are both set; keep one of them"
    );
    assert_eq!(
        error(&["SUPERNODE_DATA=/d", "SUPERNODE_EPHEMERAL=1"], ""),
        "SUPERNODE_DATA and SUPERNODE_EPHEMERAL are both set; keep one of them"
    );
    let error = resolve("--data /d --ephemeral", &[], None).unwrap_err();
    assert_eq!(error.to_string(), "--data and --ephemeral are both set; keep one of them");
}

#[test]
fn the_data_directory_is_the_users_or_asked_for() {
    let resolve = |variables: &[(&str, &str)], ephemeral| {
        let surroundings = Surroundings {
            variables: variables.iter().map(|(n, v)| (n.into(), v.into())).collect(),
            host_name: None,
        };
        let arguments = Options { ephemeral, ..Options::default() };
        Config::resolve(arguments, &surroundings, &NO_FILES)
            .map(|(config, _)| config.storage)
            .map_err(|error| error.to_string())
    };
    let xdg = ("XDG_DATA_HOME", "/xdg");
    let home = ("HOME", "/home/ada");
    let own = directory("/home/ada/.local/share/supernode");
    assert_eq!(resolve(&[home, xdg], None), Ok(directory("/xdg/supernode")));
    assert_eq!(resolve(&[home, ("XDG_DATA_HOME", "")], None), Ok(own.clone()));
    assert_eq!(resolve(&[home, ("XDG_DATA_HOME", "relative")], None), Ok(own));
    assert_eq!(resolve(&[], Some(true)), Ok(Storage::Ephemeral));
    assert_eq!(
        resolve(&[("HOME", "")], None),
        Err("there is no directory for the data, since neither XDG_DATA_HOME nor HOME is set to an absolute path; \
            give one with --data DIR, or keep nothing with --ephemeral"
            .into())
    );
}

#[test]
fn the_name_is_the_hosts_if_a_super_node_can_have_it() {
    for (host, name) in [
        (Some("laptop"), "laptop"),
        (Some("laptop.example.org"), "laptop"),
        (Some(""), "supernode"),
        (Some(&*"x".repeat(64)), "supernode"),
        (None, "supernode"),
    ] {
        let surroundings = Surroundings { variables: vec![], host_name: host.map(str::to_owned) };
        let arguments = Options { ephemeral: Some(true), ..Options::default() };
        let config = Config::resolve(arguments, &surroundings, &NO_FILES).unwrap().0;
        assert_eq!(config.name, name, "{host:?}");
    }
}

#[test]
fn a_wrong_variable_is_named_with_what_it_takes() {
    for (variable, text) in [
        (
            "SUPERNODE_HTTP=5851",
            "SUPERNODE_HTTP is \"5851\"; expected an IP address and a port, as in 0.0.0.0:5851 or \
            [::]:5851",
        ),
        (
            "SUPERNODE_JOIN=laptop:5850,phone",
            "SUPERNODE_JOIN is \"laptop:5850,phone\"; expected a port after the host, as in \
            192.0.2.1:5850; the other super-node's ready line says it after p2p=",
        ),
        (
            "SUPERNODE_PUBLIC_METRICS=on",
            "SUPERNODE_PUBLIC_METRICS is \"on\"; expected true, false, 1 or 0",
        ),
        (
            "SUPERNODE_NAME=a\tb",
            "SUPERNODE_NAME is \"a\\tb\"; expected 1 to 63 bytes without control characters",
        ),
    ] {
        assert_eq!(error(&["SUPERNODE_LOG=warn", variable], ""), text);
    }
}

#[test]
fn an_unknown_variable_is_reported_and_ignored() {
    let variables = ["SUPERNODE_HTPP=x", "SUPERNODE_PORT_5851_TCP=y", "supernode_http=z", "A=b"];
    let (config, warnings) = resolve("", &variables, None).unwrap();
    assert_eq!(config.http, DEFAULT_HTTP);
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "SUPERNODE_HTPP is set but is not an option, did you mean SUPERNODE_HTTP?",
            "SUPERNODE_PORT_5851_TCP is set but is not an option; it is ignored",
        ]
    );
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_file_line_and_what_to_write() {
    let keys = "the keys are name, data, ephemeral, http, sip, sip-rate, p2p, join, no-discovery, \
        passphrase-file, public-metrics, log";
    for (file, text) in [
        ("\nhtpp = 'x'", "line 2: unknown key `htpp`; did you mean `http`?"),
        (
            "public_metrics = 1",
            "line 1: unknown key `public_metrics`; did you mean `public-metrics`?",
        ),
        ("# é\n\nport = 5", &*format!("line 3: unknown key `port`; {keys}")),
        ("[server]\nhttp = ''", &*format!("line 1: unknown key `server`; {keys}")),
        ("config = 'other.toml'", &*format!("line 1: unknown key `config`; {keys}")),
        ("http = 5851", "line 1: `http` is 5851; expected a string in quotes"),
        ("sip-rate = '5'", "line 1: `sip-rate` is \"5\"; expected a whole number"),
        ("http = ['0.0.0.0:1']", "line 1: `http` is an array; expected a string in quotes"),
        ("http.port = 1", "line 1: `http` is a table; expected a string in quotes"),
        (
            "join = 'laptop:5850'",
            "line 1: `join` is \"laptop:5850\"; expected a list of strings in quotes, as in \
            [\"192.0.2.1:5850\"]",
        ),
        (
            "join = [5850]",
            "line 1: `join` is an array; expected a list of strings in quotes, as in \
            [\"192.0.2.1:5850\"]",
        ),
        (
            "join = [\n'laptop:5850',\n'phone:0']",
            "line 1: `join` is \"phone:0\"; expected a port from 1 to 65535, as in 192.0.2.1:5850",
        ),
        ("ephemeral = 'true'", "line 1: `ephemeral` is \"true\"; expected true or false"),
        ("ephemeral = 1", "line 1: `ephemeral` is 1; expected true or false"),
        (
            "log = 'info'\nhttp = 'localhost:5851'",
            "line 2: `http` is \"localhost:5851\"; expected an IP address and a port, as in \
            0.0.0.0:5851 or [::]:5851",
        ),
        (
            "data = '~/scope'",
            "line 1: `data` is \"~/scope\"; expected the path of a directory; \"~\" is not \
            expanded here",
        ),
        (
            "log = 'supernode=loud'",
            "line 1: `log` is \"supernode=loud\"; expected a level (error, warn, info, debug, \
            trace) or directives such as \"warn,supernode=debug\"",
        ),
        ("log = 'info'\nlog = 'warn'", "line 2: this is not TOML: duplicate key"),
    ] {
        assert_eq!(error(&[], file), format!("{FILE}, {text}"), "{file}");
    }
    assert!(
        error(&[], "name = 'a'\nhttp =\n")
            .starts_with("supernode.toml, line 2: this is not TOML: ")
    );
}

#[test]
fn a_long_value_is_shortened_in_errors() {
    let text = error(&[], &format!("name = '{}'", "é".repeat(300)));
    assert!(text.contains(&format!("`name` is \"{}…\"; expected", "é".repeat(60))), "{text}");
    assert!(!text.contains('\n'));
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = resolve("--config elsewhere.toml", &[], None).unwrap_err().to_string();
    assert!(error.starts_with("the configuration file elsewhere.toml cannot be read: "), "{error}");
}

#[test]
fn the_passphrase_is_the_first_layers_that_says_one() {
    let said = |line: &str, variables: &[&str], file: &str| {
        let passphrase = config(line, variables, file).passphrase;
        passphrase.map(|passphrase| passphrase.as_str().to_owned())
    };
    let line = "--passphrase-file of-the-line";
    let variable = "SUPERNODE_PASSPHRASE=of the variable";
    let named = "SUPERNODE_PASSPHRASE_FILE=of-the-variables-file";
    let file = "passphrase-file = 'of-the-file'";
    assert_eq!(said(line, &[variable], file).as_deref(), Some("of-the-line"));
    assert_eq!(said("", &[variable], file).as_deref(), Some("of the variable"));
    assert_eq!(said("", &[named], file).as_deref(), Some("of-the-variables-file"));
    assert_eq!(said("", &["SUPERNODE_PASSPHRASE="], file).as_deref(), Some("of-the-file"));
    assert_eq!(said("", &[], ""), None);
    assert_eq!(
        error(&[variable, named], file),
        "SUPERNODE_PASSPHRASE and SUPERNODE_PASSPHRASE_FILE are both set; keep one of them"
    );
}

#[test]
fn a_passphrase_that_cannot_be_one_is_named_and_never_shown() {
    let short = "has 4 bytes; a passphrase has at least 8, and five random words are better";
    assert_eq!(error(&["SUPERNODE_PASSPHRASE=abcd"], ""), format!("SUPERNODE_PASSPHRASE {short}"));
    assert_eq!(
        error(&["SUPERNODE_PASSPHRASE_FILE=abcd"], ""),
        format!("the passphrase file abcd {short}")
    );
    let missing = error(&[], "passphrase-file = 'missing'");
    assert!(missing.starts_with("the passphrase file missing cannot be read: "), "{missing}");
    assert_eq!(
        error(&[], "passphrase-file = '~/secret'"),
        "supernode.toml, line 1: `passphrase-file` is \"~/secret\"; expected the path of a file; \
        \"~\" is not expanded here"
    );
    assert!(error(&[], "passphrase = 'abcdefgh'").contains("did you mean `passphrase-file`?"));
}

#[test]
fn a_passphrase_file_that_others_may_read_is_warned_of() {
    let (config, warnings) = resolve("--passphrase-file open-to-all", &[], None).unwrap();
    assert!(config.passphrase.is_some());
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["other users of this machine may read the passphrase file open-to-all; chmod 600 keeps \
         them out"]
    );
}
