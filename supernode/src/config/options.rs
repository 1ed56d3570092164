//! The daemon's options: the one list of them. The command line reads it through clap's derive, the
//! environment and the file through [`Options::from_settings`], which has clap read them too; so an
//! option has one name, one type and one error text wherever it is set.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, FromArgMatches};

use super::join_address::JoinAddress;

/// The port for HTTP and XML-RPC: OpenDHT's gateway had it, so its clients find ours.
pub const HTTP_PORT: u16 = whatsup::node_url::PORT;

/// Where HTTP is served when nothing says otherwise: every IPv4 address, since phones are to join.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), HTTP_PORT);

/// The port for other super-nodes, UDP and TCP: the one below HTTP's.
pub const P2P_PORT: u16 = 5850;

/// Where other super-nodes reach this one when nothing says otherwise: at every IPv4 address.
pub const DEFAULT_P2P: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), P2P_PORT);

/// The port for SIP, UDP and TCP (RFC 3261, section 19.1.2): the one phones take where none is said.
pub const SIP_PORT: u16 = 5060;

/// Where SIP is served when nothing says otherwise: at every IPv4 address.
pub const DEFAULT_SIP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), SIP_PORT);

/// SIP requests a second of one address when nothing says otherwise: a crowd behind one router.
pub const DEFAULT_SIP_RATE: u32 = 100;

/// What is logged when nothing says otherwise.
pub const DEFAULT_LOG: &str = "info";

/// Longest name, in bytes: what one label of DNS holds (RFC 6763, section 4.1.1).
const NAME_MAX: usize = 63;

/// What each option was set to in one layer, if it was. Each is documented by its help.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(skip)]
pub struct Options {
    /// Read options from this TOML file; the command line and the environment come before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The name people see this super-node under, at most 63 bytes [default: the host name]
    #[arg(long, value_parser = parse_name)]
    pub name: Option<String>,

    /// The directory that keeps the identity and everything stored
    /// [default: $XDG_DATA_HOME/supernode, else $HOME/.local/share/supernode]
    #[arg(long, value_name = "DIR", value_parser = OsStringValueParser::new().try_map(parse_data))]
    pub data: Option<PathBuf>,

    /// Keep everything in memory, the identity too, and forget it at the end; instead of --data
    #[arg(long, value_name = "BOOL", value_parser = parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// The address and port for HTTP and XML-RPC; port 0 picks a free one [default: 0.0.0.0:5851]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub http: Option<SocketAddr>,

    /// The address and port for telephones, SIP over UDP and TCP; port 0 picks a free one
    /// [default: 0.0.0.0:5060]
    #[arg(long, value_name = "ADDR", value_parser = parse_sip_address)]
    pub sip: Option<SocketAddr>,

    /// How many SIP requests a second one address may send, all phones behind it together; 0 for
    /// any number [default: 100]
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub sip_rate: Option<u32>,

    /// The address and port for other super-nodes, UDP and TCP; port 0 picks a free one
    /// [default: 0.0.0.0:5850]
    #[arg(long, value_name = "ADDR", value_parser = parse_p2p_address)]
    pub p2p: Option<SocketAddr>,

    /// Join the super-node at this --p2p address; may be given several times, or several addresses
    /// with commas between them
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub join: Option<Vec<JoinAddress>>,

    /// Neither look for super-nodes on the networks this machine is in, nor be found there
    #[arg(long, value_name = "BOOL", value_parser = parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_discovery: Option<bool>,

    /// Let in only who knows the passphrase in this file, at most 1024 bytes on one line: other
    /// super-nodes, and over HTTP other machines. SUPERNODE_PASSPHRASE holds a passphrase itself
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(parse_file))]
    pub passphrase_file: Option<PathBuf>,

    /// Serve /metrics to other machines too, not to this one only
    #[arg(long, value_name = "BOOL", value_parser = parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub public_metrics: Option<bool>,

    /// What is logged to standard error: a level, or tracing directives such as
    /// "warn,supernode=debug" [default: info]
    #[arg(long, value_name = "FILTER", value_parser = parse_log)]
    pub log: Option<String>,
}

/// One option as text: what the environment or a file says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The option's name in kebab-case.
    pub(super) option: String,
    pub(super) value: OsString,
}

impl Options {
    /// The options that are set, each as the command line would read it.
    ///
    /// # Errors
    /// The index of the first wrong setting and what was expected of it.
    pub(super) fn from_settings(settings: &[Setting]) -> Result<Options, (usize, String)> {
        for (index, setting) in settings.iter().enumerate() {
            read(std::slice::from_ref(setting)).map_err(|expected| (index, expected))?;
        }
        read(settings).map_err(|expected| (0, expected))
    }
}

fn read(settings: &[Setting]) -> Result<Options, String> {
    let program = OsString::from("supernode");
    let arguments = settings.iter().map(|setting| {
        let mut argument = OsString::from(format!("--{}=", setting.option));
        argument.push(&setting.value);
        argument
    });
    let command = Options::augment_args(clap::Command::new("supernode"));
    command
        .try_get_matches_from(std::iter::once(program).chain(arguments))
        .and_then(|matches| Options::from_arg_matches(&matches))
        .map_err(|error| {
            let cause = std::error::Error::source(&error);
            cause.map_or_else(|| "expected text".into(), ToString::to_string)
        })
}

/// The options as clap knows them, in the order of the list above.
pub(super) fn definitions() -> Vec<clap::Arg> {
    Options::augment_args(clap::Command::new("supernode")).get_arguments().cloned().collect()
}

/// Whether the option is either on or off.
pub(super) fn is_switch(option: &clap::Arg) -> bool {
    option.get_num_args().is_some_and(|range| range.min_values() == 0)
}

/// Whether the option may be given several times.
pub(super) fn is_list(option: &clap::Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

/// Whether the option is a number: its value is shown as `N`.
pub(super) fn is_number(option: &clap::Arg) -> bool {
    option.get_value_names().is_some_and(|names| names.iter().any(|name| name == "N"))
}

/// The environment variable that sets an option.
pub fn variable(option: &str) -> String {
    format!("SUPERNODE_{}", option.to_uppercase().replace('-', "_"))
}

/// Whether a super-node can have this name.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

fn parse_name(text: &str) -> Result<String, String> {
    let expected = || format!("expected 1 to {NAME_MAX} bytes without control characters");
    is_name(text).then(|| text.to_owned()).ok_or_else(expected)
}

fn parse_data(text: OsString) -> Result<PathBuf, &'static str> {
    path(text).ok_or("expected the path of a directory; \"~\" is not expanded here")
}

fn parse_file(text: OsString) -> Result<PathBuf, &'static str> {
    path(text).ok_or("expected the path of a file; \"~\" is not expanded here")
}

/// A path that means what it says: unexpanded, `~` would be a name.
fn path(text: OsString) -> Option<PathBuf> {
    let has_tilde = text == OsStr::new("~") || text.as_encoded_bytes().starts_with(b"~/");
    (!has_tilde && !text.is_empty()).then(|| text.into())
}

fn parse_switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("expected true, false, 1 or 0"),
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an IP address and a port, as in 0.0.0.0:5851 or [::]:5851")
}

fn parse_sip_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an IP address and a port, as in 0.0.0.0:5060 or [::]:5060")
}

fn parse_rate(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "expected a number of requests a second, or 0 for any number")
}

fn parse_p2p_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an IP address and a port, as in 0.0.0.0:5850 or [::]:5850")
}

fn parse_log(text: &str) -> Result<String, String> {
    let expected = "expected a level (error, warn, info, debug, trace) or directives such as \
        \"warn,supernode=debug\"";
    let filter = tracing_subscriber::EnvFilter::builder().parse(text);
    // A word alone would be taken for a target, and a mistyped level turn the log off.
    let word = !text.contains(['=', ',', ':', '[']);
    let level = text.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    if text.is_empty() || filter.is_err() || (word && !level) {
        Err(expected.into())
    } else {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_no_filter() {
        for good in ["info", "off", "WARN", "warn,supernode=debug", "dht=trace"] {
            assert!(parse_log(good).is_ok(), "{good}");
        }
        for bad in ["debgu", "nope", "a=b=c", ""] {
            assert!(parse_log(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn help_states_the_defaults_as_they_are() {
        let help = |option: &str| {
            let definition = definitions().into_iter().find(|arg| arg.get_long() == Some(option));
            definition.unwrap().get_help().unwrap().to_string()
        };
        assert!(help("http").ends_with(&format!("[default: {DEFAULT_HTTP}]")));
        assert!(help("sip").ends_with(&format!("[default: {DEFAULT_SIP}]")));
        assert!(help("sip-rate").ends_with(&format!("[default: {DEFAULT_SIP_RATE}]")));
        assert!(help("p2p").ends_with(&format!("[default: {DEFAULT_P2P}]")));
        assert!(help("log").ends_with(&format!("[default: {DEFAULT_LOG}]")));
        assert!(help("name").contains(&format!("at most {NAME_MAX} bytes")));
    }

    #[test]
    fn a_setting_is_read_as_the_command_line_reads_it() {
        let setting =
            |option: &str, value: &str| Setting { option: option.into(), value: value.into() };
        for (option, value, good) in [
            ("name", "Ada's laptop", true),
            ("name", "", false),
            ("name", "a\nb", false),
            ("name", &"é".repeat(31), true),
            ("name", &"é".repeat(32), false),
            ("data", "relative/dir", true),
            ("data", "~/scope", false),
            ("data", "~", false),
            ("data", "~backup", true),
            ("data", "", false),
            ("ephemeral", "1", true),
            ("ephemeral", "0", true),
            ("ephemeral", "yes", false),
            ("ephemeral", "True", false),
            ("http", "[::1]:0", true),
            ("http", "0.0.0.0", false),
            ("http", "localhost:5851", false),
            ("http", "1.2.3.4:65536", false),
            ("sip", "127.0.0.1:0", true),
            ("sip", "5060", false),
            ("sip-rate", "0", true),
            ("sip-rate", "-1", false),
            ("p2p", "127.0.0.1:0", true),
            ("p2p", "5850", false),
            ("join", "laptop:5850", true),
            ("join", "laptop:5850,[::1]:5850", true),
            ("join", "laptop:5850,", false),
            ("join", "laptop", false),
            ("join", "laptop:0", false),
            ("join", "", false),
            ("no-discovery", "true", true),
            ("log", "warn,supernode=debug", true),
            ("log", "supernode=loud", false),
        ] {
            let read = Options::from_settings(&[setting(option, value)]);
            assert_eq!(read.is_ok(), good, "{option} = {value:?}: {read:?}");
            if let Err((_, text)) = read {
                assert!(text.starts_with("expected "), "{option} = {value:?}: {text}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_need_not_be_utf_8_but_a_name_must() {
        use std::os::unix::ffi::OsStringExt;
        let setting =
            |option: &str| Setting { option: option.into(), value: OsString::from_vec(vec![0xff]) };
        assert!(Options::from_settings(&[setting("data")]).is_ok());
        let (index, text) =
            Options::from_settings(&[setting("data"), setting("name")]).unwrap_err();
        assert_eq!((index, text.as_str()), (1, "expected text"));
    }
}
