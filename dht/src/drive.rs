//! Drives an operation: sends what it asks, and tells it the answers and the time.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::link::{Answer, ReplySlot};
use crate::node::Node;
use crate::overlay::membership::Event;
use crate::overlay::operation::{Operation, Wants};
use crate::wire::{Refusal, Reply};

/// Answers that may wait for one operation: more than it ever has requests under way.
const ANSWERS_MAX: usize = 64;

/// An operation and what it waits for.
struct Drive<O> {
    node: Arc<Node>,
    operation: O,
    wants: Wants,
    to: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
}

/// Runs an operation to its outcome. Dropped before, it leaves undone what it had not asked for.
pub(crate) async fn run<O: Operation>(node: &Arc<Node>, operation: O) -> O::Output {
    let (to, answers) = mpsc::channel(ANSWERS_MAX);
    let node = Arc::clone(node);
    let mut drive = Drive { node, operation, wants: Wants::default(), to, answers };
    drive.node.with_context(|context| drive.operation.start(context, &mut drive.wants));
    drive.send();
    loop {
        if let Some(outcome) = drive.operation.outcome() {
            return outcome;
        }
        drive.step().await;
    }
}

impl<O: Operation> Drive<O> {
    /// Waits for an answer or for time to pass.
    async fn step(&mut self) {
        let Drive { node, operation, wants, answers, .. } = self;
        let wake_at = node.started + operation.wake_at();
        tokio::select! {
            biased;
            answer = answers.recv() => {
                // Never closed: this end holds a sender.
                let Some(answer) = answer else { return };
                match &answer.reply {
                    Ok(Reply::Listed(_)) => answer.from.latencies.record(answer.took),
                    Ok(Reply::Refused { why, text }) if !matches!(why, Refusal::Later | Refusal::Taken) => {
                        node.complain(&answer.from, text);
                    }
                    _ => {}
                }
                let malformed = node.meters.malformed.get();
                node.with_context(|context| {
                    operation.answered(context, answer.tag, answer.reply, wants);
                });
                if node.meters.malformed.get() != malformed {
                    node.complain(&answer.from, "its answer cannot be right");
                }
            }
            () = sleep_until(wake_at) => {
                node.with_context(|context| operation.time_passed(context, wants));
            }
        }
        self.send();
    }

    fn send(&mut self) {
        for id in self.wants.overdue.drain(..) {
            // If so much is waiting there, the detector hears of it by its own probes.
            let _ = self.node.events.try_send(Event::Unanswered(id));
        }
        for ask in self.wants.asks.drain(..) {
            let slot = match ask.tag {
                Some(tag) => ReplySlot::new(self.to.clone(), Arc::clone(&ask.to), tag),
                None => ReplySlot::nobody(Arc::clone(&ask.to)),
            };
            self.node.ask(ask, slot);
        }
    }
}
