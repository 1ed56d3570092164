//! The radio's thread before all others: it does little and often, and the air does not wait while a
//! machine's few processors are busy with the laptops' programs.

use std::fmt;
use std::process::{Command, Stdio};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// What the kernel let it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It runs as soon as it can.
    RealTime,
    /// It runs more than others.
    Raised,
    /// It waits for its turn: without root.
    AsOthers,
}

impl Urgency {
    /// Gets the calling thread as much as it may have.
    pub(super) fn raise() -> Urgency {
        let thread = gettid();
        let id = thread.as_raw_nonzero().to_string();
        // Of util-linux, as unshare is: there is no safe way to ask the kernel from here. The lowest of
        // the real-time priorities is above all that is none.
        let mut command = Command::new("chrt");
        command.args(["--fifo", "--pid", "1", &id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            Urgency::RealTime
        } else if setpriority_process(Some(thread), -20).is_ok() {
            Urgency::Raised
        } else {
            Urgency::AsOthers
        }
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Urgency::RealTime => "real time",
            Urgency::Raised => "raised",
            Urgency::AsOthers => "as others",
        })
    }
}
