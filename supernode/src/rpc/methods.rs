//! Which method does what was called.

use std::time::Instant;

use dht::Dht;
use dxr::Value;

use super::codec::Call;
use super::params::Params;
use super::{Fault, introspect, opendht, scope, table};

/// Does what was called; `started` is when the call was there.
pub(super) async fn call(dht: &Dht, call: Call, started: Instant) -> Result<Value, Fault> {
    let method = table::find(&call.method).ok_or_else(|| Fault::unknown_method(&call.method))?;
    let params = Params::new(method, call.params)?;
    match method.name {
        "scope.put" => scope::put(dht, params, started).await,
        "scope.get" => scope::get(dht, params).await,
        "scope.remove" => scope::remove(dht, params).await,
        "put" => opendht::put(dht, params).await,
        "put_removable" => opendht::put_removable(dht, params).await,
        "get" => opendht::get(dht, params).await,
        "get_details" => opendht::get_details(dht, params).await,
        "rm" => opendht::rm(dht, params).await,
        "system.listMethods" => Ok(introspect::list_methods()),
        "system.methodSignature" => introspect::method_signature(params),
        "system.methodHelp" => introspect::method_help(params),
        _ => Err(Fault::unknown_method(&call.method)),
    }
}
