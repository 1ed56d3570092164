use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::super::testing::Person;
use crate::net::Net;
use crate::overlay::{Answer, Ask, Changed, Memory, Overlay, OverlayError, Watched};

/// Two super-nodes of one overlay, of which the first may die, and then both.
#[derive(Clone)]
struct Two {
    memory: Memory,
    dead: Arc<[AtomicBool; 2]>,
}

impl Two {
    fn new() -> Two {
        Two { memory: Memory::new(), dead: Arc::default() }
    }

    fn kill(&self, at: usize, is_dead: bool) {
        self.dead[at].store(is_dead, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), OverlayError> {
        match self.via() {
            Some(_) => Ok(()),
            None => Err(OverlayError::NoNode(vec![("http://one:1".into(), "gone".into())])),
        }
    }
}

impl Overlay for Two {
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answer, OverlayError>>> {
        match self.check() {
            Ok(()) => self.memory.run(asks),
            Err(error) => Box::pin(std::future::ready(vec![Err(error); asks.len()])),
        }
    }

    fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Changed>, OverlayError>> {
        Box::pin(async move {
            self.check()?;
            let told = self.memory.watch_values(keys, wait).await;
            // Whoever died meanwhile answers nothing.
            self.check()?;
            told
        })
    }

    fn via(&self) -> Option<String> {
        let names = ["http://one:1", "http://two:1"].into_iter().zip(&*self.dead);
        let mut alive = names.filter(|(_, dead)| !dead.load(Ordering::SeqCst));
        alive.next().map(|(name, _)| name.to_owned())
    }
}

fn lines(out: &str) -> Vec<Json> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Json], event: &str) -> Vec<&'a Json> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[tokio::test]
async fn where_there_is_no_terminal_programs_are_told_what_to_ask_for() {
    let alice = Person::new();
    alice.json("login alice --guest").await;
    let ran = alice.run("watch").await;
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(ran.err.contains("whatsup watch --json"), "{}", ran.err);
    assert_eq!(alice.run("watch --count 3").await.code, 2);
    assert_eq!(Person::new().run("watch --json").await.code, 2, "nobody is logged in");
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_a_line_each_as_it_happens() {
    let memory = Memory::new();
    let (alice, bob) = (Person::on(&memory), Person::on(&memory));
    alice.json("login alice --guest").await;
    bob.json("login bob --guest").await;
    bob.json("share before").await;
    alice.json("follow bob").await;
    bob.json("follow alice").await;
    let id = bob.json("community create Chess").await["id"].as_str().unwrap().to_owned();
    alice.json(&format!("community join {id}")).await;
    let happens = async {
        // Longer than it takes to read all there is, and less than any sweep.
        tokio::time::sleep(Duration::from_secs(8)).await;
        bob.json("share after").await;
        bob.json("say alice hello").await;
        bob.json("here --once --status coffee").await;
        bob.json("community post Chess play?").await;
    };
    let (ran, ()) = tokio::join!(alice.run("watch --json --count 5"), happens);
    let lines = lines(&ran.out);
    let posts: Vec<_> =
        of(&lines, "post").iter().map(|line| (&line["text"], &line["new"])).collect();
    assert_eq!(posts[0], (&"before".into(), &false.into()), "{}", ran.out);
    assert!(posts.contains(&(&"after".into(), &true.into())), "{}", ran.out);
    assert!(posts.contains(&(&"play?".into(), &true.into())), "{}", ran.out);
    let message = of(&lines, "message")[0];
    assert_eq!((&message["text"], &message["with"]), (&"hello".into(), &"bob".into()));
    let here = of(&lines, "here")[0];
    assert_eq!((&here["name"], &here["status"]), (&"bob".into(), &"coffee".into()));
    assert_eq!(of(&lines, "alert")[0]["preview"], "play?");
    assert_eq!(lines.last().unwrap()["told"], 5);
}

#[tokio::test(start_paused = true)]
async fn when_a_super_node_dies_it_says_so_and_goes_on_by_another() {
    let two = Two::new();
    let mut alice = Person::on(&two.memory);
    let bob = Person::on(&two.memory);
    alice.json("login alice --guest").await;
    bob.json("login bob --guest").await;
    alice.json("follow bob").await;
    alice.net = Net::new(two.clone());
    let happens = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        two.kill(0, true);
        tokio::time::sleep(Duration::from_secs(40)).await;
        two.kill(1, true);
        tokio::time::sleep(Duration::from_secs(40)).await;
        two.kill(1, false);
        bob.json("share still").await;
    };
    let (ran, ()) = tokio::join!(alice.run("watch --json --count 1"), happens);
    let lines = lines(&ran.out);
    let told: Vec<&Json> = lines.iter().filter(|line| line["event"] != "here").collect();
    let events: Vec<_> = told.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["node", "ready", "node", "trouble", "node", "post", "end"], "{}", ran.out);
    assert_eq!(
        (&told[0]["node"], &told[2]["node"]),
        (&"http://one:1".into(), &"http://two:1".into())
    );
    assert!(told[3]["message"].as_str().unwrap().starts_with("no super-node answers"));
    assert_eq!((&told[4]["node"], &told[5]["text"]), (&"http://two:1".into(), &"still".into()));
}
