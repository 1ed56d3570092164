//! How a node is going to look for others: what its configuration comes to.

use std::io;
use std::time::Duration;

use super::solitude::Multicast;
use super::tag::Salt;
use crate::config::{Config, JoinAddress};
use crate::passphrase::Passphrase;
use crate::random;

/// How a node is going to look for others.
#[derive(Debug)]
pub struct Plan {
    pub(super) name: String,
    pub(super) join: Vec<JoinAddress>,
    pub(super) multicast: Multicast,
    pub(super) settle: Duration,
    pub(super) secrecy: Option<Secrecy>,
}

/// What a node with a passphrase needs to be found by its like only.
#[derive(Debug)]
pub(super) struct Secrecy {
    pub(super) passphrase: Passphrase,
    pub(super) salt: Salt,
}

impl Plan {
    /// What a configuration asks for.
    ///
    /// # Errors
    /// The system's, if a salt is needed and there are no random numbers.
    pub fn new(config: &Config) -> io::Result<Plan> {
        let multicast = match config.discovery {
            false => Multicast::TurnedOff,
            true if config.p2p.ip().to_canonical().is_loopback() => Multicast::OnLoopback,
            true => Multicast::Asking,
        };
        let looks = multicast == Multicast::Asking || !config.join.is_empty();
        let settle = if looks { dht::Options::SETTLE } else { Duration::ZERO };
        let secrecy = match &config.passphrase {
            Some(passphrase) => {
                let salt = Salt::new(random::bytes()?);
                Some(Secrecy { passphrase: passphrase.clone(), salt })
            }
            None => None,
        };
        Ok(Plan {
            name: config.name.clone(),
            join: config.join.clone(),
            multicast,
            settle,
            secrecy,
        })
    }

    /// How long until a node that found nobody is alone. Zero if it looks for nobody.
    pub fn settle(&self) -> Duration {
        self.settle
    }

    /// Whether it would look for others, but none of them could reach it.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.multicast == Multicast::OnLoopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;

    use crate::config::{Files, Options, Surroundings};
    use crate::passphrase::PassphraseFile;

    struct NoFiles;

    impl Files for NoFiles {
        fn configuration(&self, _: &Path) -> io::Result<String> {
            unreachable!("none is named")
        }

        fn passphrase(&self, _: &Path) -> io::Result<PassphraseFile> {
            unreachable!("none is named")
        }
    }

    fn plan(options: Options) -> Plan {
        let options = Options { ephemeral: Some(true), ..options };
        let (config, _) = Config::resolve(options, &Surroundings::default(), &NoFiles).unwrap();
        Plan::new(&config).unwrap()
    }

    #[test]
    fn a_node_settles_only_if_it_looks_for_somebody() {
        let p2p = |address: &str| Some(address.parse().unwrap());
        let join = || Some(vec!["box:5850".parse().unwrap()]);
        for (options, multicast, looks) in [
            (Options::default(), Multicast::Asking, true),
            (
                Options { no_discovery: Some(true), ..Options::default() },
                Multicast::TurnedOff,
                false,
            ),
            (
                Options { no_discovery: Some(true), join: join(), ..Options::default() },
                Multicast::TurnedOff,
                true,
            ),
            (
                Options { p2p: p2p("127.0.0.1:0"), ..Options::default() },
                Multicast::OnLoopback,
                false,
            ),
            (Options { p2p: p2p("[::1]:0"), ..Options::default() }, Multicast::OnLoopback, false),
            (Options { p2p: p2p("[::]:0"), ..Options::default() }, Multicast::Asking, true),
        ] {
            let plan = plan(options);
            assert_eq!(plan.multicast, multicast);
            assert_eq!(!plan.settle().is_zero(), looks);
        }
    }
}
