//! What becomes of a request by its method alone.

use crate::message::{HeaderName, Method, Rejection, Status};

/// What this node serves or passes on: what `Allow` says.
pub(super) const ALLOWED: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, INFO, UPDATE, PRACK, REFER, NOTIFY";

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Policy {
    /// It ends another one.
    Cancels,
    /// It is the registrar's.
    Registers,
    /// Nobody here serves it, but for an agent that takes the method; and it is passed on to nobody.
    Refused(Rejection),
    /// It is passed on, known or not (RFC 3261 §16.3).
    Passed,
}

/// Of a method.
pub(super) fn policy(method: Method<'_>) -> Policy {
    match method {
        Method::Cancel => Policy::Cancels,
        Method::Register => Policy::Registers,
        Method::Subscribe => Policy::Refused(Rejection {
            header: Some((HeaderName::AllowEvents, "refer".to_owned())),
            ..Rejection::new(Status::BAD_EVENT)
        }),
        Method::Publish => Policy::Refused(Rejection::new(Status::NOT_IMPLEMENTED)),
        _ => Policy::Passed,
    }
}
