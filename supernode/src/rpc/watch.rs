//! `scope.watch`: a call that waits for a key to change. What it waits for takes no processor, and must
//! hold up nobody: so reading the call, waiting, and writing the reply are told apart.

use std::time::{Duration, Instant};

use base::Key;
use base::limits::KEY_MAX;
use dht::{Cursor, Dht, DhtError, Watched};
use dxr::Value;

use super::params::Params;
use super::scope::{PAGE_BYTES, bytes};
use super::{Answer, Fault, codec, refuse, table};

/// The method's name.
pub(super) const NAME: &str = "scope.watch";
/// Longest wait of one call, in seconds; whoever wants to know more asks again.
const WAIT_MAX_S: i64 = 300;

/// A call that waits.
#[derive(Debug)]
pub struct Watch {
    key: Key,
    since: Option<Cursor>,
    wait: Duration,
}

/// What has come of it.
#[derive(Debug)]
pub struct Waited {
    result: Result<Watched, DhtError>,
    /// When that was: how long somebody waited says nothing of this node.
    ended: Instant,
}

impl Watch {
    /// Takes a call's parameters.
    pub(super) fn read(mut params: Params) -> Result<Watch, Fault> {
        let key = params.key(KEY_MAX)?;
        let since = match params.optional_bytes()?.filter(|bytes| !bytes.is_empty()) {
            None => None,
            Some(given) => match given.as_ref().try_into() {
                Ok(cursor) => Some(Cursor::from_bytes(cursor)),
                Err(_) => return Err(params.bad("is not one that scope.watch gave")),
            },
        };
        let seconds = params.int()?;
        let wait = match u64::try_from(seconds) {
            Ok(wait) if seconds <= WAIT_MAX_S => Duration::from_secs(wait),
            _ => {
                let text = format!("is {seconds}; it is between 0 and {WAIT_MAX_S} s");
                return Err(params.bad(&text));
            }
        };
        let key = params.in_service(key)?;
        Ok(Watch { key, since, wait })
    }

    /// Waits.
    pub async fn wait(self, dht: &Dht) -> Waited {
        let result = dht.watch(&self.key, self.since, self.wait).await;
        Waited { result, ended: Instant::now() }
    }
}

impl Waited {
    /// The answer to the call.
    pub fn answer(self) -> Answer {
        let method = table::position(NAME);
        match self.result.map_err(Fault::from).and_then(value).and_then(codec::encode) {
            Ok(xml) => Answer { xml, method, fault: 0, took: self.ended.elapsed() },
            Err(fault) => Answer { method, took: self.ended.elapsed(), ..refuse(fault) },
        }
    }
}

fn value(watched: Watched) -> Result<Value, Fault> {
    let size: usize = watched.values.iter().map(|found| found.value.as_bytes().len()).sum();
    if size > PAGE_BYTES {
        return Err(codec::too_large());
    }
    let values = watched.values.into_iter().map(|found| bytes(&found.value.into_bytes())).collect();
    let cursor = Value::Base64(watched.cursor.to_bytes().to_vec());
    Ok(Value::Array(vec![Value::Array(values), cursor]))
}
