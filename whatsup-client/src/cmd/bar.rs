//! [`Bar`]: how far a file has come, for people at a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;

/// A progress bar on standard error, if that is a terminal; gone when it is dropped.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Nothing of `len` bytes is done yet.
    pub(super) fn new(what: &'static str, len: u64, context: &Context<'_>) -> Bar {
        let target = match context.is_json() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(len), target).with_message(what);
        let style =
            "{msg} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// So many bytes are done.
    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
