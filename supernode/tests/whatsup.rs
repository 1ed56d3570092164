//! The evening of `docs/guides/whatsup.md`, at three real super-nodes: each of its commands is run, by the command's
//! own code, and prints what the page shows. `UPDATE_DOCS=1` writes what they print into the page.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

#[path = "support/page.rs"]
#[allow(unreachable_pub, clippy::unwrap_used, reason = "only tests use it")]
mod page;

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use page::{Page, Seen};
use support::{Node, get, until};
use whatsup::Net;
use whatsup::cmd::{Cli, Home, Streams, Surroundings};
use whatsup::node_url::NodeUrl;
use whatsup::overlay::Http;

const GUIDE: &str = "../docs/guides/whatsup.md";
/// What the command says when it hears what happens.
const WAITS: [&str; 2] = ["waiting for what happens", "\"event\":\"ready\""];

/// What the super-node of a laptop is called there.
const USUAL: &str = "http://127.0.0.1:5851";

/// The exit code of what is to be tried again, and how often it is tried.
const AGAIN: u8 = 6;
const TRIES: usize = 3;

/// Three super-nodes that know each other.
fn three() -> [Node; 3] {
    let first = Node::ephemeral();
    let join = first.p2p.clone();
    let more = || Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--join", &join]);
    let nodes = [more(), more(), first];
    let knows = |node: &Node| {
        let status = get(&node.http, "/api/v1/status");
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["peers"].as_array().unwrap().len() == 2 && status["phase"] == "serving"
    };
    until(|| nodes.iter().all(knows).then_some(()), || "they do not meet".to_owned());
    nodes
}

/// What a command prints: standard output and standard error, as a terminal has them.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Somebody at their own laptop, whose super-node this is.
struct Laptop {
    home: Home,
    node: NodeUrl,
    /// What still runs there, and what it printed up to when it began to wait.
    running: Option<(JoinHandle<u8>, Screen, usize)>,
}

impl Laptop {
    /// Begins a command of these words.
    fn start(&self, words: Vec<String>) -> (JoinHandle<u8>, Screen) {
        let around = Surroundings {
            name_passphrase: None,
            terminal: None,
            ..Surroundings::new(self.home.clone())
        };
        let (node, screen) = (self.node.clone(), Screen::default());
        let printed = screen.clone();
        // Not every future of a command can go from thread to thread.
        let running = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let cli = Cli::read(words).unwrap();
            let net = Net::new(Http::new(vec![node], None));
            let (mut stdin, mut out, mut err) = (std::io::empty(), screen.clone(), screen);
            let streams = Streams { stdin: &mut stdin, out: &mut out, err: &mut err };
            runtime.unwrap().block_on(whatsup::cmd::run(cli, &net, &around, streams))
        });
        (running, printed)
    }

    /// Does what a line says; what the terminal shows then.
    fn run(&mut self, line: &str) -> String {
        if line == "wait" {
            let (running, printed, from) = self.running.take().expect("something runs");
            running.join().unwrap();
            return printed.text()[from..].to_owned();
        }
        let (line, beside) = match line.strip_suffix(" &") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if beside {
            let (running, printed) = self.start(page::words(line));
            let waits = || WAITS.iter().any(|word| printed.text().contains(word)).then_some(());
            until(waits, || format!("{line} does not wait: {}", printed.text()));
            let text = printed.text();
            self.running = Some((running, printed, text.len()));
            return text;
        }
        let mut tries = 0;
        loop {
            let (running, printed) = self.start(page::words(line));
            tries += 1;
            // On a machine that is very slow replicas may answer too late.
            if running.join().unwrap() != AGAIN || tries == TRIES {
                return printed.text();
            }
        }
    }
}

/// A photo, of which the guide speaks.
fn photo(path: &Path) {
    let pixel = |x: u32, y: u32| image::Rgb([(x / 4) as u8, (y / 3) as u8, 120]);
    image::RgbImage::from_fn(640, 480, pixel).save(path).unwrap();
}

#[test]
fn the_evening_of_the_guide_is_as_it_is_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let text = std::fs::read_to_string(&path).unwrap();
    let page = Page::read(&text);
    assert!(page.commands().count() > 40);
    let nodes = three();
    let folder = tempfile::tempdir().unwrap();
    photo(&folder.path().join("hall.png"));
    // Files are named as in the guide. No other test runs in this process.
    std::env::set_current_dir(&folder).unwrap();
    let mut laptops: HashMap<String, Laptop> = HashMap::new();
    for (who, node) in ["alice", "bob", "carol"].into_iter().zip(&nodes) {
        let home = Home::new(folder.path().join(who));
        let laptop = Laptop { home, node: node.http.parse().unwrap(), running: None };
        laptops.insert(who.to_owned(), laptop);
    }
    let updates = std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1");
    let mut seen = Seen::default();
    let (mut updated, mut is_old) = (Vec::new(), false);
    for command in page.commands() {
        let laptop = laptops.get_mut(&command.who).expect("a laptop");
        let line = seen.real(&command.line);
        // As it is on a laptop, where the super-node has its usual port.
        let printed = laptop.run(&line).replace(&laptop.node.to_string(), USUAL);
        let printed: Vec<String> = printed.lines().map(str::to_owned).collect();
        let matches = seen.meets(&command.shows, &printed);
        if std::env::var_os("UPDATE_DOCS").is_none() {
            assert!(
                matches,
                "{line}\nprints\n{}\nthe guide shows\n{}",
                printed.join("\n"),
                command.shows.join("\n")
            );
        }
        is_old |= !matches;
        updated.push((line, seen.shown(&command.shows, printed)));
    }
    // Else only keys and moments would be others.
    if updates && is_old {
        std::fs::write(&path, page.with(&updated)).unwrap();
    }
}
