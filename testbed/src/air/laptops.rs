//! The laptops of a scenario: a namespace each, the radio between them, and what runs on them. All of
//! it ends when this is dropped, or the testbed is killed.

use std::ffi::OsString;
use std::fs::write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::device::{Device, NAME, network};
use super::medium::Medium;
use super::radio::Radio;
use super::record::Recorder;
use super::scenario::{Laptop, Routing, Scenario};
use super::snapshot::Snapshot;
use crate::leash::leashed;
use crate::netns::Namespace;
use crate::node::{Data, Launch, Node, Starting};
use crate::status::{Status, status};
use crate::tools::require;

/// How long all super-nodes may take to serve: dozens share the few cores of one machine.
const SERVING_LIMIT: Duration = Duration::from_secs(120);

/// Where the first super-node of a laptop listens; the others have ports in steps of ten.
const PORTS: [(&str, u16); 3] = [("--http", 5851), ("--sip", 5060), ("--p2p", 5850)];

/// Of a laptop that does not route: addresses are there at once, for nobody else has them.
const SETTINGS: [(&str, &str); 2] = [
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
];

/// Of one that routes. Redirects would say that who sends and who receives are in one network, and so
/// should do without the one between them.
const ROUTER_SETTINGS: [(&str, &str); 6] = [
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
];

/// All laptops, on the air.
#[derive(Debug)]
pub(crate) struct Laptops {
    scenario: Scenario,
    // Programs end before the radio does, and that before the namespaces.
    supernodes: Vec<(usize, Node)>,
    routers: Vec<Router>,
    radio: Radio,
    namespaces: Vec<Namespace>,
    _dir: TempDir,
}

/// A routing daemon; dropping it ends it.
#[derive(Debug)]
struct Router(Child);

impl Laptops {
    /// Puts the laptops on the air, with nothing running on them but their routing daemons. This
    /// process must be in a network namespace of its own.
    pub(crate) fn new(scenario: Scenario, record: Option<&Path>) -> Result<Laptops> {
        required(&scenario)?;
        let dir = TempDir::new()?;
        let record = record.map(Recorder::create).transpose()?;
        let (mut namespaces, mut devices) = (Vec::new(), Vec::new());
        for (number, laptop) in scenario.laptops.iter().enumerate() {
            let namespace = Namespace::new("infinity").with_context(|| laptop.name.clone())?;
            namespace.run(|| settings(scenario.routing)).with_context(|| laptop.name.clone())?;
            devices.push(Device::new(&namespace, number).with_context(|| laptop.name.clone())?);
            namespaces.push(namespace);
        }
        let mut travel = scenario.travel();
        let medium = Medium::new(scenario.radio, scenario.seed, &travel.at(Duration::ZERO));
        let radio = Radio::start(devices, medium, travel, record)?;
        let mut routers = Vec::new();
        if scenario.routing == Routing::Babeld {
            for (namespace, laptop) in namespaces.iter().zip(&scenario.laptops) {
                routers.push(Router::start(namespace, laptop, dir.path())?);
            }
        }
        Ok(Laptops { scenario, supernodes: Vec::new(), routers, radio, namespaces, _dir: dir })
    }

    /// Starts the super-nodes of all laptops. `go_on` may end the wait.
    pub(crate) fn start_supernodes(&mut self, mut go_on: impl FnMut() -> Result<()>) -> Result<()> {
        let began = Instant::now();
        let mut starting = Vec::new();
        for (number, laptop) in self.scenario.laptops.iter().enumerate() {
            for nth in 0..laptop.supernodes {
                let launch = launch(laptop, nth).through(self.namespaces[number].enter());
                starting.push((number, nth, Starting::new(&launch)?));
            }
        }
        for (number, nth, starting) in starting {
            go_on()?;
            let left = SERVING_LIMIT.saturating_sub(began.elapsed());
            let name = || name(&self.scenario.laptops[number], nth);
            let node = starting.ready_within(left).with_context(name)?;
            self.supernodes.push((number, node));
        }
        Ok(())
    }

    /// Kills the super-nodes of a laptop without a warning.
    pub(crate) fn kill(&mut self, number: usize) -> Result<()> {
        let all = std::mem::take(&mut self.supernodes);
        let (killed, left) = all.into_iter().partition(|(on, _)| *on == number);
        self.supernodes = left;
        let killed: Vec<(usize, Node)> = killed;
        Node::kill9_all(killed.into_iter().map(|(_, node)| node))
    }

    /// Starts a new one there, that has nothing; where it serves HTTP.
    pub(crate) fn replace(&mut self, number: usize) -> Result<SocketAddr> {
        let laptop = &self.scenario.laptops[number];
        let launch = launch(laptop, 0).through(self.namespaces[number].enter());
        let node = Starting::new(&launch)?.ready_within(SERVING_LIMIT);
        let node = node.with_context(|| name(laptop, 0))?;
        let http = node.http();
        self.supernodes.push((number, node));
        Ok(http)
    }

    /// The scenario they are of.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// All super-nodes, with the numbers of their laptops.
    pub(crate) fn supernodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.supernodes.iter().map(|(number, node)| (*number, node))
    }

    /// The number of a laptop.
    pub(crate) fn number(&self, name: &str) -> Result<usize> {
        let known = &self.scenario.laptops;
        known.iter().position(|laptop| laptop.name == name).with_context(|| {
            let names: Vec<_> = known.iter().map(|laptop| laptop.name.as_str()).collect();
            format!("no laptop {name:?}; there are: {}", names.join(", "))
        })
    }

    /// A program that will run on a laptop and end with the testbed.
    pub(crate) fn command(&self, number: usize, program: &[OsString]) -> Command {
        let mut words = self.namespaces[number].enter();
        words.extend(program.iter().cloned());
        let mut command = leashed(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// Runs some code on a laptop: sockets it opens are of that laptop. It must start no programs.
    pub(crate) fn on<T: Send>(
        &self,
        number: usize,
        code: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        self.namespaces[number].run(code)
    }

    /// What a super-node on a laptop says of itself, asked on that laptop.
    pub(crate) fn status(&self, number: usize, http: SocketAddr) -> Result<Status> {
        self.on(number, || status(http))
    }

    /// How one enters a laptop from another terminal.
    pub(crate) fn entrance(&self, number: usize) -> String {
        let user = if rustix::process::geteuid().is_root() && is_first_user_namespace() {
            ""
        } else {
            "-U --preserve-credentials "
        };
        format!("nsenter -t {} {user}-n", self.namespaces[number].pid())
    }

    /// How the radio is doing.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        self.radio.snapshot()
    }

    /// An error if a super-node or a routing daemon has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        for (number, node) in &mut self.supernodes {
            let name = &self.scenario.laptops[*number].name;
            let log = node.log();
            ensure!(node.is_running()?, "a super-node of {name} has ended; its log ends:\n{log}");
        }
        for (router, laptop) in self.routers.iter_mut().zip(&self.scenario.laptops) {
            let ended = router.0.try_wait()?;
            ensure!(ended.is_none(), "babeld of {} has ended: {ended:?}", laptop.name);
        }
        Ok(())
    }

    /// Asks all super-nodes to stop, and ends everything.
    pub(crate) fn stop(mut self) -> Result<()> {
        let nodes = std::mem::take(&mut self.supernodes);
        let stopped = Node::stop_all(nodes.into_iter().map(|(_, node)| node));
        self.routers.clear();
        self.radio.stop()?;
        stopped
    }
}

/// The name of a super-node, by its number on its laptop.
fn name(laptop: &Laptop, nth: usize) -> String {
    if laptop.supernodes == 1 {
        laptop.name.clone()
    } else {
        format!("{}-{}", laptop.name, nth + 1)
    }
}

/// A super-node with a port of its own for each purpose.
fn launch(laptop: &Laptop, nth: usize) -> Launch {
    let launch = Launch::new(&Data::Ephemeral).with("--name", &name(laptop, nth));
    // The scenario's limit is 64 on a laptop.
    let step = 10 * u16::try_from(nth).unwrap_or(0);
    PORTS.iter().fold(launch, |launch, (option, port)| {
        launch.with(option, &format!("0.0.0.0:{}", port + step))
    })
}

/// What must be installed.
pub(crate) fn required(scenario: &Scenario) -> Result<()> {
    require("ip", "iproute2")?;
    require("nsenter", "util-linux")?;
    require("unshare", "util-linux")?;
    if scenario.routing == Routing::Babeld {
        require(&babeld().to_string_lossy(), "babeld")
            .context("the scenario says routing = \"babeld\"")?;
    }
    if scenario.laptops.iter().any(|laptop| laptop.supernodes > 0) {
        crate::node::binary()?;
    }
    Ok(())
}

/// Where Debian has it is not where users look for programs.
fn babeld() -> PathBuf {
    let known = PathBuf::from("/usr/sbin/babeld");
    if known.is_file() { known } else { "babeld".into() }
}

fn settings(routing: Routing) -> Result<()> {
    let more: &[_] = if routing == Routing::Babeld { &ROUTER_SETTINGS } else { &[] };
    for (name, value) in SETTINGS.iter().chain(more) {
        let path = Path::new("/proc/sys").join(name);
        // A kernel without IPv6 has nothing to set there.
        if path.exists() {
            write(&path, value).with_context(|| format!("cannot set {}", path.display()))?;
        }
    }
    Ok(())
}

fn is_first_user_namespace() -> bool {
    // There the map is the identity for all ids.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"]
}

impl Router {
    fn start(namespace: &Namespace, laptop: &Laptop, dir: &Path) -> Result<Router> {
        let file = |kind: &str| dir.join(format!("{}.{kind}", laptop.name)).into_os_string();
        let mut words = namespace.enter();
        words.push(babeld().into());
        words.extend(["-I".into(), file("pid"), "-S".into(), file("state")]);
        words.extend(["-L".into(), file("log")]);
        // Told each second, a neighbour that walks away is known after seconds.
        words.extend(["-h", "1", "-H", "1"].map(OsString::from));
        for line in [
            format!("redistribute local ip {}", network()),
            "redistribute local deny".to_owned(),
            format!("interface {NAME} type wireless"),
        ] {
            words.extend(["-C".into(), line.into()]);
        }
        words.push(NAME.into());
        let mut command = leashed(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("cannot start babeld of {}", laptop.name))?;
        Ok(Router(child))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
