//! What nodes log, with the virtual time.

use std::fmt;
use std::io::{IsTerminal, stderr};

use dht::sim::virtual_time;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

struct Virtual;

impl FormatTime for Virtual {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        match virtual_time() {
            Some(time) => write!(to, "{:10.3}", time.as_secs_f64()),
            None => write!(to, "{:10}", "-"),
        }
    }
}

/// Prints what is logged from now on, each line with the virtual time and the node's number.
pub(super) fn print() {
    let lines = tracing_subscriber::fmt().with_writer(stderr).with_timer(Virtual);
    lines.with_target(false).with_ansi(stderr().is_terminal()).init();
}
