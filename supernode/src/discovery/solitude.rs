//! Whether the node is alone, why that may be, and when to say so. Pure: whoever owns the
//! [`Solitude`] shows it what there is and logs what it answers.
//!
//! ```text
//!             no peer for the settling time             a peer
//! settling ───────────────────────────────► alone ◄──────────────► in company
//!     └───────────────── a peer ──────────────────────────────────────▲
//! ```
//!
//! Each arrow is said once, being alone again only when it may be for another reason.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::contacts::Failures;

/// How often, at most, other reasons for being alone are told: whoever makes announcements come and
/// go must not fill the log.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How much longer than the settling time it takes while first attempts are under way: a machine
/// that does not answer at all is given up after some seconds.
const HOLD: Duration = Duration::from_secs(10);
/// Most failures that are told of announced super-nodes.
const FAILURES_TOLD: usize = 3;

/// What keeps track of it.
#[derive(Debug)]
pub(super) struct Solitude {
    settle: Duration,
    /// Since when there is no peer, if there is none.
    since: Option<Instant>,
    said: Said,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Alone(Vec<Reason>, Instant),
    InCompany,
}

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It has been alone for a while, maybe for these reasons.
    Alone(Vec<Reason>),
    /// There are so many peers, after there were none.
    Joined(usize),
}

/// Why a node may be alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// There is no network.
    NoInterface,
    /// There is one, but not one for the addresses that the node listens on.
    OtherFamily,
    /// It was told to look for nobody.
    TurnedOff,
    /// It listens where only this machine comes.
    OnLoopback,
    /// Multicast does not work here.
    MulticastFailed(String),
    /// It asked, and nobody answered.
    NobodyAnswered,
    /// Others answered, and could not be joined.
    NotJoined { announced: usize, failures: Vec<String> },
    /// Nobody was there at the address of a `--join`, or nothing has been heard yet.
    NobodyAt { address: String, failure: Option<String> },
}

/// How it asks for others by multicast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Multicast {
    /// It does.
    Asking,
    /// It does not, having been told not to.
    TurnedOff,
    /// It does not, for nobody could come.
    OnLoopback,
    /// It would, but this went wrong.
    Failed(String),
}

/// Whether others can reach this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// They can.
    Network,
    /// It is in no network.
    None,
    /// It is in one, but listens on IPv4 and has no such address, or on IPv6.
    OtherFamily,
}

impl Reach {
    /// What a node that listens on `p2p` reaches with these addresses of the machine's.
    pub(super) fn of(p2p: IpAddr, own: &[IpAddr]) -> Reach {
        let usable = || own.iter().filter(|address| !address.is_loopback());
        // An IPv6 wildcard serves IPv4 too.
        let both = p2p.is_ipv6() && p2p.is_unspecified();
        let fits = |own: &IpAddr| both || own.is_ipv4() == p2p.is_ipv4();
        match usable().next() {
            None => Reach::None,
            Some(_) if usable().any(fits) => Reach::Network,
            Some(_) => Reach::OtherFamily,
        }
    }
}

/// The reasons there may be.
pub(super) fn reasons(multicast: &Multicast, reach: Reach, failures: Failures) -> Vec<Reason> {
    let Failures { announced, mut of_announced, of_named } = failures;
    let nobody_named = of_named.is_empty();
    let mut reasons = Vec::new();
    match multicast {
        Multicast::TurnedOff if nobody_named => reasons.push(Reason::TurnedOff),
        Multicast::OnLoopback if nobody_named => reasons.push(Reason::OnLoopback),
        Multicast::TurnedOff | Multicast::OnLoopback => {}
        _ if reach == Reach::None => reasons.push(Reason::NoInterface),
        _ if reach == Reach::OtherFamily => reasons.push(Reason::OtherFamily),
        Multicast::Failed(detail) => reasons.push(Reason::MulticastFailed(detail.clone())),
        Multicast::Asking if announced == 0 => reasons.push(Reason::NobodyAnswered),
        Multicast::Asking => {
            of_announced.truncate(FAILURES_TOLD);
            reasons.push(Reason::NotJoined { announced, failures: of_announced });
        }
    }
    let named = of_named.into_iter();
    reasons.extend(named.map(|(address, failure)| Reason::NobodyAt { address, failure }));
    reasons
}

impl Solitude {
    /// `settle` is how long there may be no peer before that is worth a word.
    pub(super) fn new(settle: Duration) -> Solitude {
        Solitude { settle, since: None, said: Said::Nothing }
    }

    /// Whether there was no peer when it was last looked.
    pub(super) fn is_alone(&self) -> bool {
        self.since.is_some()
    }

    /// Takes note of how many peers there are, and whether somebody has yet to be tried. `reasons` is
    /// only asked when it matters.
    pub(super) fn observe(
        &mut self,
        peers: usize,
        undecided: bool,
        now: Instant,
        reasons: impl FnOnce() -> Vec<Reason>,
    ) -> Option<Notice> {
        if peers > 0 {
            self.since = None;
            let news = self.said != Said::InCompany;
            self.said = Said::InCompany;
            return news.then_some(Notice::Joined(peers));
        }
        let since = *self.since.get_or_insert(now);
        let patience = if undecided { self.settle + HOLD } else { self.settle };
        if now.saturating_duration_since(since) < patience {
            return None;
        }
        let reasons = reasons();
        if let Said::Alone(told, at) = &self.said {
            let too_soon = now.saturating_duration_since(*at) < SAY_AGAIN_AFTER;
            if too_soon || are_alike(told, &reasons) {
                return None;
            }
        }
        self.said = Said::Alone(reasons.clone(), now);
        Some(Notice::Alone(reasons))
    }
}

/// Whether two lists of reasons say the same but for details, which change with every attempt.
fn are_alike(one: &[Reason], other: &[Reason]) -> bool {
    let kind = |reason: &Reason| match reason {
        Reason::NobodyAt { failure, .. } => (std::mem::discriminant(reason), failure.is_some()),
        _ => (std::mem::discriminant(reason), false),
    };
    one.iter().map(kind).eq(other.iter().map(kind))
}

impl Notice {
    /// Whether somebody should do something about it; not if the node was told to be alone.
    pub(super) fn is_worrying(&self) -> bool {
        let meant = |reason: &Reason| matches!(reason, Reason::TurnedOff | Reason::OnLoopback);
        matches!(self, Notice::Alone(reasons) if !reasons.iter().all(meant))
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Joined(1) => f.write_str("joined the overlay: 1 peer"),
            Notice::Joined(peers) => write!(f, "joined the overlay: {peers} peers"),
            Notice::Alone(reasons) => {
                let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                write!(f, "this super-node is alone: {}", reasons.join("; and "))
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoInterface => f.write_str(
                "this machine has no network interface that is up, besides loopback; join a \
                network, or plug a cable in",
            ),
            Reason::OtherFamily => f.write_str(
                "this machine has no address of the kind that --p2p listens on; --p2p [::]:5850 \
                listens on IPv6 and IPv4",
            ),
            Reason::TurnedOff => {
                f.write_str("--no-discovery is set, and no --join HOST:PORT says whom to join")
            }
            Reason::OnLoopback => f.write_str(
                "--p2p is an address that only this machine reaches, and no --join HOST:PORT says \
                whom to join",
            ),
            Reason::MulticastFailed(detail) => write!(
                f,
                "multicast DNS does not work on this machine ({detail}); name another super-node \
                with --join HOST:PORT"
            ),
            Reason::NobodyAnswered => f.write_str(
                "nobody answered the multicast question for super-nodes; if there are others on \
                this network, a firewall may block UDP port 5353, here or there, or the access \
                point may keep its clients apart; then name one of them with --join HOST:PORT",
            ),
            Reason::NotJoined { announced, failures } => {
                let others = if *announced == 1 { "super-node is" } else { "super-nodes are" };
                write!(
                    f,
                    "{announced} {others} announced on this network, but none could be joined; a \
                    firewall may block the port of --p2p, UDP and TCP, there or here"
                )?;
                if failures.is_empty() { Ok(()) } else { write!(f, " ({})", failures.join("; ")) }
            }
            Reason::NobodyAt { address, failure: Some(failure) } => {
                write!(f, "--join {address} did not work yet: {failure}")
            }
            Reason::NobodyAt { address, failure: None } => {
                write!(f, "nobody has answered yet at --join {address}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
