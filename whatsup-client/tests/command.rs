//! The command as a process: what scripts see of it where no super-node is.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn whatsup(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whatsup"));
    for variable in ["WHATSUP_NODE", "SUPERNODE_PASSPHRASE", "SUPERNODE_NAME_PASSPHRASE"] {
        command.env_remove(variable);
    }
    command.env("WHATSUP_HOME", home).args(arguments).output().expect("the command starts")
}

/// An address where nobody listens, as somebody just did.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("its address"))
}

#[test]
fn without_a_super_node_the_addresses_are_named_and_the_exit_code_is_4() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (nobody(), nobody());
    let arguments = ["services", "--node", &*one, "--node", &*two];
    let output = whatsup(home.path(), &arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.starts_with("error: no super-node answers: "), "{said}");
    assert!(said.contains(&one) && said.contains(&two), "{said}");
    assert!(said.ends_with("is supernode running there? name another with --node URL\n"), "{said}");
    assert!(output.stdout.is_empty());

    let output = whatsup(home.path(), &[&arguments[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &said["error"]["code"]), (Some(4), &4.into()));
    assert!(output.stderr.is_empty());
}

#[test]
fn what_needs_no_super_node_asks_none() {
    let home = tempfile::tempdir().unwrap();
    let output = whatsup(home.path(), &["man", "--node", &nobody()]);
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b".ie") || output.stdout.starts_with(b".TH"));
    let output = whatsup(home.path(), &["profile", "edit", "--job", "x", "--node", &nobody()]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: nobody is logged in here\nlog in with: whatsup login NAME\n");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "and nothing is kept");
}

#[test]
fn files_that_cannot_be_used_end_with_3_and_say_why() {
    let home = tempfile::tempdir().unwrap();
    let missing = whatsup(home.path(), &["services", "--passphrase-file", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(3));
    let key = home.path().join("person");
    std::fs::write(&key, "name alice\n").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let open = whatsup(home.path(), &["whoami"]);
    assert_eq!(open.status.code(), Some(3));
    assert!(String::from_utf8(open.stderr).unwrap().contains("can be read by others"));
}

#[test]
fn what_is_drawn_goes_to_a_terminal_only_and_programs_are_told_what_to_ask_for() {
    let home = tempfile::tempdir().unwrap();
    let output = whatsup(home.path(), &["watch", "--node", &nobody()]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.ends_with("programs read: whatsup watch --json\n"), "{said}");
}
