//! XML-RPC: from the bytes of a request to the bytes of its reply.
//!
//! ```text
//! bytes ─ xml_guard: is it safe to parse? ─ codec: a typed call ─ methods: one match ─┬─ scope, watch
//!                                                                                    ├─ services
//!                                                                                    ├─ opendht
//!                                      reply ─ codec ◄── value, or fault ◄───────────┴─ introspect
//! ```

mod caller;
mod codec;
mod diagnose;
mod fault;
mod introspect;
mod methods;
mod names;
mod opendht;
mod params;
mod phones;
#[cfg(test)]
mod reference;
mod scope;
mod services;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::time::{Duration, Instant};

pub use caller::Caller;
pub use fault::Fault;
pub use scope::DEFAULT_TTL_S;
pub use table::{METHODS, Method};
pub use watch::{Waited, Watch};

/// Longest request body, in bytes.
pub const REQUEST_MAX: usize = 256 * 1024;
/// Longest reply, in bytes.
pub const REPLY_MAX: usize = 1024 * 1024;

/// What a request came to.
pub struct Answer {
    /// The reply's XML.
    pub xml: String,
    /// Which of [`METHODS`] was called; `None` when it was none of them.
    pub method: Option<usize>,
    /// The fault's code, or 0.
    pub fault: i32,
    /// How long it took, from the call's last byte on.
    pub took: Duration,
}

/// What a request comes to at once.
pub enum Begun {
    /// Its answer.
    Answer(Answer),
    /// It waits for something to happen; then there is an answer.
    Waits(Watch),
}

/// Answers a request, however long that takes.
pub async fn answer(caller: Caller<'_>, body: &[u8]) -> Answer {
    match begin(caller, body).await {
        Begun::Answer(answer) => answer,
        Begun::Waits(watch) => watch.wait(caller.dht).await.answer(),
    }
}

/// Answers a request, unless it wants to wait.
pub async fn begin(caller: Caller<'_>, body: &[u8]) -> Begun {
    let started = Instant::now();
    let (method, result) = match codec::decode(body) {
        Ok(call) if call.method == watch::NAME => match methods::watch(call) {
            Ok(watch) => return Begun::Waits(watch),
            Err(fault) => (table::position(watch::NAME), Err(fault)),
        },
        Ok(call) => {
            let method = table::position(&call.method);
            let result = methods::call(caller, call, started).await.and_then(codec::encode);
            (method, result)
        }
        Err(fault) => (None, Err(fault)),
    };
    let took = started.elapsed();
    Begun::Answer(match result {
        Ok(xml) => Answer { xml, method, fault: 0, took },
        Err(fault) => Answer { method, took, ..refuse(fault) },
    })
}

/// The reply to a request that there is no room for now. Which method it is tells only how its callers
/// expect to be told; nothing is parsed for it.
pub fn try_again(body: &[u8]) -> String {
    if codec::method_at_a_glance(body).is_some_and(opendht::returns_a_code) {
        return codec::encode(opendht::try_again()).unwrap_or_default();
    }
    let text = "this super-node is busy; nothing was done, try again in a second";
    codec::encode_fault(Fault::OverCapacity(text.to_owned()))
}

/// The answer that nothing but this fault came of it.
pub fn refuse(fault: Fault) -> Answer {
    Answer {
        fault: fault.code(),
        xml: codec::encode_fault(fault),
        method: None,
        took: Duration::ZERO,
    }
}
