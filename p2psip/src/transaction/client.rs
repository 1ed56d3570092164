//! The client's side of any other request (RFC 3261 §17.1.2).
//!
//! ```text
//!   Trying ──1xx──► Proceeding ──200–699──► Completed ── K ──► over
//!    │ E: again       │ E: again, each T2
//!    │ F: no response │ F: no response
//!    └──200–699──► Completed
//! ```

use super::ClientEvent;
use super::step::{Step, Telling};
use super::timers::{Clock, Due, Timers};

/// Of what is known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sent, and nothing heard.
    Trying,
    /// A provisional response has come.
    Proceeding,
    /// The answer has come; repetitions are swallowed.
    Completed,
}

/// The machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    state: State,
    reliable: bool,
    pub(super) clock: Clock,
}

impl Client {
    /// The request is sent now, over a transport that is reliable or not.
    pub fn new(reliable: bool, now_ms: u64, timers: &Timers) -> Client {
        let mut clock = Clock::stopped();
        clock.end_after(timers.patience_ms(), now_ms);
        if !reliable {
            clock.resend_after(timers.t1_ms, now_ms);
        }
        Client { state: State::Trying, reliable, clock }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Something happens.
    pub fn on(&mut self, event: ClientEvent, now_ms: u64, timers: &Timers) -> Step {
        match (self.state, event) {
            (State::Completed, ClientEvent::Response(_) | ClientEvent::Unsent) => Step::NOTHING,
            (_, ClientEvent::Response(status)) if status.is_provisional() => {
                // Timer E goes on as it was set, and is T2 from its next firing on.
                self.state = State::Proceeding;
                Step::EVENT
            }
            (_, ClientEvent::Response(_)) => {
                self.state = State::Completed;
                self.clock.stop();
                self.clock.end_after(timers.t4_ms, now_ms);
                Step::EVENT.and_end(self.reliable)
            }
            (_, ClientEvent::Unsent) => Step::telling(Telling::Unsent).and_end(true),
            (state, ClientEvent::Time) => match (state, self.clock.due(now_ms)) {
                (_, Due::Nothing) => Step::NOTHING,
                (State::Proceeding, Due::Resend) => {
                    self.clock.resend_after(timers.t2_ms, now_ms);
                    Step::AGAIN
                }
                (_, Due::Resend) => {
                    self.clock.resend_later(timers.t2_ms, now_ms);
                    Step::AGAIN
                }
                (State::Completed, Due::End) => Step::NOTHING.and_end(true),
                (_, Due::End) => Step::telling(Telling::NoResponse).and_end(true),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Status;

    const T: Timers = Timers { t1_ms: 500, t2_ms: 4000, t4_ms: 5000, d_ms: 32_000 };

    fn reply(code: u16) -> ClientEvent {
        ClientEvent::Response(Status::new(code).unwrap())
    }

    fn after(reliable: bool, events: &[ClientEvent]) -> Client {
        let mut machine = Client::new(reliable, 0, &T);
        for event in events {
            machine.on(*event, 0, &T);
        }
        machine
    }

    #[test]
    fn each_transition_is_that_of_the_rfc() {
        use State::{Completed, Proceeding, Trying};
        let unsent = Step::telling(Telling::Unsent).and_end(true);
        let silent = Step::telling(Telling::NoResponse).and_end(true);
        let (over, time) = (Step::NOTHING.and_end(true), ClientEvent::Time);
        for (before, event, at, step, state, next) in [
            (&[][..], time, 499, Step::NOTHING, Trying, Some(500)),
            (&[], time, 500, Step::AGAIN, Trying, Some(1500)),
            (&[], time, 32_000, silent, Trying, None),
            (&[], reply(100), 9, Step::EVENT, Proceeding, Some(500)),
            (&[], reply(200), 9, Step::EVENT, Completed, Some(5009)),
            (&[], reply(401), 9, Step::EVENT, Completed, Some(5009)),
            (&[], ClientEvent::Unsent, 9, unsent, Trying, None),
            (&[reply(100)], time, 500, Step::AGAIN, Proceeding, Some(4500)),
            (&[reply(100)], time, 32_000, silent, Proceeding, None),
            (&[reply(100)], reply(183), 9, Step::EVENT, Proceeding, Some(500)),
            (&[reply(100)], reply(699), 9, Step::EVENT, Completed, Some(5009)),
            (&[reply(100)], ClientEvent::Unsent, 9, unsent, Proceeding, None),
            (&[reply(200)], reply(200), 9, Step::NOTHING, Completed, Some(5000)),
            (&[reply(200)], reply(100), 9, Step::NOTHING, Completed, Some(5000)),
            (&[reply(200)], ClientEvent::Unsent, 9, Step::NOTHING, Completed, Some(5000)),
            (&[reply(200)], time, 4999, Step::NOTHING, Completed, Some(5000)),
            (&[reply(200)], time, 5000, over, Completed, None),
        ] {
            let mut machine = after(false, before);
            let found = machine.on(event, at, &T);
            assert_eq!((found, machine.state()), (step, state), "{before:?} {event:?} {at}");
            if !step.ended {
                assert_eq!(machine.clock.next_ms(), next, "{before:?} {event:?} {at}");
            }
        }
    }

    #[test]
    fn it_is_sent_eleven_times_and_given_up() {
        let (mut machine, mut sent) = (after(false, &[]), vec![0]);
        while let Some(now) = machine.clock.next_ms() {
            let step = machine.on(ClientEvent::Time, now, &T);
            if step.ended {
                assert_eq!(now, 32_000);
                break;
            }
            sent.push(now);
        }
        assert_eq!(sent[..6], [0, 500, 1500, 3500, 7500, 11_500]);
        assert_eq!(sent.len(), 11);
    }

    #[test]
    fn a_reliable_transport_repeats_nothing() {
        assert_eq!(after(true, &[]).clock.next_ms(), Some(32_000));
        assert_eq!(after(true, &[]).on(reply(200), 7, &T), Step::EVENT.and_end(true));
    }
}
