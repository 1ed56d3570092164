//! Where the fuzz targets of `fuzz/` come in: each function takes any bytes, and panics where
//! something does not hold that must. Tests feed them every seed and every past finding, too.

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{LazyLock, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dht::{Dht, Options, Storage};
use tokio::runtime::{Builder, Runtime};

use crate::accounts::PhoneAccounts;
use crate::config::JoinAddress;
use crate::discovery::fuzzing::addresses_announced;
use crate::quota::Quota;
use crate::rpc::Caller;
use crate::services::Services;
use crate::source::Source;
use crate::{rpc, xml_guard};

/// The body of an XML-RPC request: it is refused with a reply that can be read, or becomes a call
/// with parameters of the right types, and then no deeper than values may be nested. The overlay
/// is asked, and never answers.
pub fn xml_rpc(body: &[u8]) {
    let (runtime, dht) = asked_in_vain();
    let _entered = runtime.enter();
    let mut context = Context::from_waker(Waker::noop());
    match pin!(rpc::answer(caller(dht), body)).poll(&mut context) {
        Poll::Ready(answer) => {
            assert!(answer.xml.len() <= rpc::REPLY_MAX);
            xml_guard::check(answer.xml.as_bytes()).expect("a reply that is sound XML");
            // What this door offers beside calls of the overlay describes itself.
            let describes =
                answer.method.is_some_and(|at| rpc::METHODS[at].name.starts_with("system."));
            assert!(answer.fault != 0 || describes, "answered without the overlay");
        }
        Poll::Pending => {
            let text = xml_guard::check(body).expect("a call that the guard let through");
            let depth = xml_guard::walk(text)
                .err()
                .filter(|error| error.to_string().contains("nested deeper"));
            assert_eq!(depth, None, "deeper than allowed, and let through");
        }
    }
}

/// Somebody who may put what they like.
fn caller(dht: &'static Dht) -> Caller<'static> {
    static QUOTA: LazyLock<Quota> = LazyLock::new(Quota::new);
    static SERVICES: OnceLock<Services> = OnceLock::new();
    static PHONES: OnceLock<PhoneAccounts> = OnceLock::new();
    let services = SERVICES.get_or_init(|| Services::new(dht.clone()).expect("random numbers"));
    let phones = PHONES.get_or_init(|| PhoneAccounts::new(dht.clone()));
    Caller { dht, quota: &QUOTA, services, phones, source: Source::of(Ipv4Addr::LOCALHOST.into()) }
}

/// What `--join` is given, or a file or a variable in its place; and what multicast DNS says of a
/// super-node: a line each for its id, its port and its addresses. What reads as an address can be
/// dialled, and reads as the same one when it is shown.
pub fn contacts(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(address) = text.parse::<JoinAddress>() {
        assert!(address.port() != 0 && !address.host().is_empty());
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (id, Ok(port), addresses) = (line(), line().parse(), line()) else { return };
    let announced = addresses_announced(id, port, addresses);
    for address in &announced {
        assert!(can_be_dialled(address), "{address}");
    }
    let mut once = announced.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), announced.len(), "an address twice");
}

fn can_be_dialled(address: &SocketAddr) -> bool {
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback()
}

/// A node that looks for others and finds nobody: until it has, its writes wait, and of nothing it
/// says that it is not there.
fn asked_in_vain() -> &'static (Runtime, Dht) {
    /// Longer than anybody fuzzes.
    const LOOKING: Duration = Duration::from_secs(365 * 86_400);
    static NODE: OnceLock<(Runtime, Dht)> = OnceLock::new();
    NODE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = Options { settle: LOOKING, ..Options::local(Storage::Memory) };
        let dht = runtime.block_on(Dht::open(options)).expect("a node on loopback");
        (runtime, dht)
    })
}
