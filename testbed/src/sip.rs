//! SIP user agents for proofs and measurements: foreign programs, a phone of our own, and a look at what
//! goes over the wire. Written apart from `p2psip`, so that a mistake in one does not hide in the other.

pub(crate) mod baresip;
pub(crate) mod calls;
pub(crate) mod capture;
pub(crate) mod digest;
pub(crate) mod jssip;
pub(crate) mod kamailio;
pub(crate) mod phone;
pub(crate) mod program;
pub(crate) mod sipp;
pub(crate) mod text;
