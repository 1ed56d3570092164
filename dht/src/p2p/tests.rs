//! Links in one process, over loopback.

mod admission;
mod bare;
mod bulk;
mod exchange;
mod joining;
mod leaving;
mod raw;
mod slow;
mod strangers;
mod substreams;
mod support;
