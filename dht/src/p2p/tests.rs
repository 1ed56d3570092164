//! Links in one process, over loopback.

mod bulk;
mod exchange;
mod joining;
mod leaving;
mod strangers;
mod support;
