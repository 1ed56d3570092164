//! Drives an operation: sends what it asks, and tells it the answers and the time.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::link::{Answer, Lost, ReplySlot};
use crate::node::{Asked, Node};
use crate::overlay::Peer;
use crate::overlay::membership::Event;
use crate::overlay::operation::{Ask, Operation, Wants};
use crate::wire::{Refusal, Reply};

/// Answers that may wait for one operation: more than it ever has requests under way.
const ANSWERS_MAX: usize = 64;

/// An operation and what it waits for.
struct Drive<O> {
    node: Arc<Node>,
    operation: O,
    wants: Wants,
    /// Once there is somebody whose answer has to be waited for: what this node asks itself it mostly answers
    /// at once.
    answers: Option<(mpsc::Sender<Answer>, mpsc::Receiver<Answer>)>,
}

/// Runs an operation to its outcome. Dropped before, it leaves undone what it had not asked for.
pub(crate) async fn run<O: Operation>(node: &Arc<Node>, operation: O) -> O::Output {
    let node = Arc::clone(node);
    let mut drive = Drive { node, operation, wants: Wants::default(), answers: None };
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
        let wake_at = self.node.started + self.operation.wake_at();
        let (_, answers) = self.answers.get_or_insert_with(|| mpsc::channel(ANSWERS_MAX));
        tokio::select! {
            biased;
            answer = answers.recv() => {
                // Never closed: this end holds a sender.
                let Some(answer) = answer else { return };
                if matches!(answer.reply, Ok(Reply::Listed(_))) {
                    answer.from.latencies.record(answer.took);
                }
                self.answered(&answer.from, answer.tag, answer.reply);
            }
            () = sleep_until(wake_at) => {
                let Drive { node, operation, wants, .. } = self;
                node.with_context(|context| operation.time_passed(context, wants));
            }
        }
        self.send();
    }

    fn answered(&mut self, from: &Peer, tag: u32, reply: Result<Reply, Lost>) {
        let Drive { node, operation, wants, .. } = self;
        match &reply {
            Ok(Reply::Refused { why, text }) if !matches!(why, Refusal::Later | Refusal::Taken) => {
                node.complain(from, text);
            }
            _ => {}
        }
        let malformed = node.meters.malformed.get();
        node.with_context(|context| operation.answered(context, tag, reply, wants));
        if node.meters.malformed.get() != malformed {
            node.complain(from, "its answer cannot be right");
        }
    }

    fn send(&mut self) {
        for id in self.wants.overdue.drain(..) {
            // If so much is waiting there, the detector hears of it by its own probes.
            let _ = self.node.events.try_send(Event::Unanswered(id));
        }
        // What is answered at once may have consequences.
        while !self.wants.asks.is_empty() {
            let mut answered = Vec::new();
            for ask in std::mem::take(&mut self.wants.asks) {
                let Ask { to, addresses, tag, request } = ask;
                let later = match self.node.ask_myself(&to, request) {
                    Asked::Other(request) => {
                        let slot = self.slot(&to, tag);
                        self.node.ask_other(&to, &addresses, request, slot);
                        continue;
                    }
                    Asked::Now(reply) => {
                        answered.extend(tag.map(|tag| (to, tag, reply)));
                        continue;
                    }
                    Asked::Later(later) => later,
                };
                let slot = self.slot(&to, tag);
                tokio::spawn(async move { slot.answer(Ok(later.await)) });
            }
            for (from, tag, reply) in answered {
                self.answered(&from, tag, Ok(reply));
            }
        }
    }

    fn slot(&mut self, from: &Arc<Peer>, tag: Option<u32>) -> ReplySlot {
        let Some(tag) = tag else { return ReplySlot::nobody(Arc::clone(from)) };
        let (to, _) = self.answers.get_or_insert_with(|| mpsc::channel(ANSWERS_MAX));
        ReplySlot::new(to.clone(), Arc::clone(from), tag)
    }
}
