//! What clients do to super-nodes while a drill goes on: values that are put once and read again
//! and again, and writes in a book, so that afterwards one can say what must hold.

mod crew;
mod ledger;
mod live;
mod reads;
mod values;
mod writers;

pub(crate) use crew::{CREW, paced, together};
pub(crate) use ledger::{Identity, Kind, Ledger, Noted};
pub(crate) use live::Live;
pub(crate) use reads::{Reading, Reads};
pub(crate) use values::Values;
pub(crate) use writers::Writers;
