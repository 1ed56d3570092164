//! The dependency arrows between the workspace's crates, held for normal, development and build
//! dependencies alike. The picture is in `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Table;

/// Who may know whom.
const ARROWS: [(&str, &[&str]); 6] = [
    ("base", &[]),
    ("dht", &["base"]),
    ("p2psip", &["base"]),
    ("whatsup-client", &["base"]),
    ("supernode", &["base", "dht", "p2psip", "whatsup-client"]),
    // Nothing needs the testbed, so that it may need everything.
    ("testbed", &["base", "dht", "p2psip", "whatsup-client", "supernode"]),
];

/// What is wrong with a crate of these workspace dependencies, if anything.
fn check(name: &str, dependencies: &BTreeSet<String>) -> Result<(), String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("{name} is new: add it, and whom it may know, to ARROWS in this test"));
    };
    match dependencies.iter().find(|dependency| !allowed.contains(&dependency.as_str())) {
        Some(dependency) => Err(format!("{name} must not depend on {dependency}")),
        None => Ok(()),
    }
}

/// The members among a manifest's dependencies of every kind, under their real names.
fn member_dependencies(manifest: &Table, members: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    tables.extend(targets.into_iter().flat_map(Table::values).filter_map(|t| t.as_table()));
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = table.get(kind).and_then(|kind| kind.as_table());
            for (name, detail) in dependencies.into_iter().flatten() {
                let renamed = detail.get("package").and_then(|package| package.as_str());
                let name = renamed.unwrap_or(name);
                if members.contains(name) {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}

fn read(path: &Path) -> Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every member's name and manifest.
fn members() -> Vec<(String, Table)> {
    let workspace = read(&root().join("Cargo.toml"));
    let folders = workspace["workspace"]["members"].as_array().expect("members");
    folders
        .iter()
        .map(|folder| {
            let folder = folder.as_str().expect("a folder");
            assert!(!folder.contains('*'), "list members by name, so that this test sees them");
            let manifest = read(&root().join(folder).join("Cargo.toml"));
            (manifest["package"]["name"].as_str().expect("a name").to_owned(), manifest)
        })
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_crate_depends_only_on_those_it_may_know() {
    let members = members();
    let names: BTreeSet<String> = members.iter().map(|(name, _)| name.clone()).collect();
    for (name, manifest) in &members {
        let found = member_dependencies(manifest, &names);
        check(name, &found).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn arrows_that_point_up_are_refused() {
    for (name, dependency) in [
        ("base", "dht"),
        ("base", "testbed"),
        ("dht", "supernode"),
        ("dht", "p2psip"),
        ("p2psip", "dht"),
        ("p2psip", "whatsup-client"),
        ("whatsup-client", "dht"),
        ("supernode", "testbed"),
    ] {
        let wrong = check(name, &set(&["base", dependency])).unwrap_err();
        assert!(wrong.contains(name) && wrong.contains("must not"), "{wrong}");
    }
}

#[test]
fn a_crate_nobody_drew_is_refused_with_advice() {
    let wrong = check("newcomer", &set(&[])).unwrap_err();
    assert!(wrong.contains("newcomer") && wrong.contains("add it"), "{wrong}");
}

#[test]
fn dependencies_of_every_kind_are_found() {
    let manifest: Table = r#"
        [dependencies]
        base.workspace = true
        serde = "1"
        [dev-dependencies]
        overlay = { package = "dht", path = "../dht" }
        [build-dependencies]
        supernode = { path = "../supernode" }
        [target.'cfg(unix)'.dependencies]
        p2psip = { path = "../p2psip" }
    "#
    .parse()
    .unwrap();
    let members = set(&["base", "dht", "supernode", "p2psip", "testbed"]);
    let found = member_dependencies(&manifest, &members);
    assert_eq!(found, set(&["base", "dht", "p2psip", "supernode"]));
}
