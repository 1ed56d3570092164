//! Which method does what was called.

use std::time::Instant;

use dxr::Value;

use super::codec::Call;
use super::params::Params;
use super::watch::{self, Watch};
use super::{Caller, Fault, introspect, names, opendht, phones, scope, services, table};

/// What a call of `scope.watch` waits for.
pub(super) fn watch(call: Call) -> Result<Watch, Fault> {
    let method = table::find(watch::NAME).ok_or_else(|| Fault::unknown_method(watch::NAME))?;
    Watch::read(Params::new(method, call.params)?)
}

/// Does what was called; `started` is when the call was there.
pub(super) async fn call(caller: Caller<'_>, call: Call, started: Instant) -> Result<Value, Fault> {
    let method = table::find(&call.method).ok_or_else(|| Fault::unknown_method(&call.method))?;
    let params = Params::new(method, call.params)?;
    match method.name {
        "scope.put" => scope::put(caller, params, started).await,
        "scope.get" => scope::get(caller.dht, params).await,
        "scope.remove" => scope::remove(caller, params).await,
        "scope.services" => services::services(caller).await,
        "scope.lookup" => services::lookup(caller, params).await,
        "scope.advertise" => services::advertise(caller, params).await,
        "scope.withdraw" => services::withdraw(caller, params).await,
        "scope.name" => names::name(caller, params).await,
        "scope.claim" => names::claim(caller, params).await,
        "scope.phone" => phones::phone(caller, params).await,
        "scope.protect" => phones::protect(caller, params).await,
        "put" => opendht::put(caller, params).await,
        "put_removable" => opendht::put_removable(caller, params).await,
        "get" => opendht::get(caller.dht, params).await,
        "get_details" => opendht::get_details(caller.dht, params).await,
        "rm" => opendht::rm(caller, params).await,
        "system.listMethods" => Ok(introspect::list_methods()),
        "system.methodSignature" => introspect::method_signature(params),
        "system.methodHelp" => introspect::method_help(params),
        _ => Err(Fault::unknown_method(&call.method)),
    }
}
