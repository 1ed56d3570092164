//! The server's side of any other request (RFC 3261 §17.2.2).
//!
//! ```text
//!   Trying ──1xx──► Proceeding ──200–699──► Completed ── J ──► over
//!    │ request:       │ request: the          request: the last
//!    │ swallowed      │ last response again   response again
//!    └──200–699──► Completed
//! ```

use super::ServerEvent;
use super::step::{Step, Telling};
use super::timers::{Clock, Due, Timers};

/// Of what was answered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Trying,
    /// Something provisional.
    Proceeding,
    /// All.
    Completed,
}

/// The machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    state: State,
    reliable: bool,
    pub(super) clock: Clock,
}

impl Server {
    /// The request has come, over a transport that is reliable or not.
    pub fn new(reliable: bool) -> Server {
        Server { state: State::Trying, reliable, clock: Clock::stopped() }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Something happens.
    pub fn on(&mut self, event: ServerEvent, now_ms: u64, timers: &Timers) -> Step {
        match (self.state, event) {
            (State::Trying, ServerEvent::Request) => Step::NOTHING,
            (State::Proceeding | State::Completed, ServerEvent::Request) => Step::AGAIN,
            (State::Completed, ServerEvent::Respond(_)) => Step::NOTHING,
            (_, ServerEvent::Respond(status)) if status.is_provisional() => {
                self.state = State::Proceeding;
                Step::NEW
            }
            (_, ServerEvent::Respond(_)) => {
                self.state = State::Completed;
                self.clock.end_after(timers.patience_ms(), now_ms);
                Step::NEW.and_end(self.reliable)
            }
            (State::Trying, ServerEvent::Unsent) | (_, ServerEvent::Ack) => Step::NOTHING,
            (_, ServerEvent::Unsent) => Step::telling(Telling::Unsent).and_end(true),
            (_, ServerEvent::Time) => match self.clock.due(now_ms) {
                Due::End => Step::NOTHING.and_end(true),
                Due::Resend | Due::Nothing => Step::NOTHING,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Status;

    const T: Timers = Timers { t1_ms: 500, t2_ms: 4000, t4_ms: 5000, d_ms: 32_000 };

    fn respond(code: u16) -> ServerEvent {
        ServerEvent::Respond(Status::new(code).unwrap())
    }

    #[test]
    fn each_transition_is_that_of_the_rfc() {
        use ServerEvent::{Ack, Request, Time, Unsent};
        use State::{Completed, Proceeding, Trying};
        let over = Step::NOTHING.and_end(true);
        let unsent = Step::telling(Telling::Unsent).and_end(true);
        for (before, event, at, step, state, next) in [
            (&[][..], Request, 9, Step::NOTHING, Trying, None),
            (&[], Ack, 9, Step::NOTHING, Trying, None),
            (&[], Unsent, 9, Step::NOTHING, Trying, None),
            (&[], Time, 99_999, Step::NOTHING, Trying, None),
            (&[], respond(100), 9, Step::NEW, Proceeding, None),
            (&[], respond(200), 9, Step::NEW, Completed, Some(32_009)),
            (&[], respond(404), 9, Step::NEW, Completed, Some(32_009)),
            (&[respond(100)], Request, 9, Step::AGAIN, Proceeding, None),
            (&[respond(100)], respond(182), 9, Step::NEW, Proceeding, None),
            (&[respond(100)], respond(500), 9, Step::NEW, Completed, Some(32_009)),
            (&[respond(100)], Unsent, 9, unsent, Proceeding, None),
            (&[respond(200)], Request, 9, Step::AGAIN, Completed, Some(32_000)),
            (&[respond(200)], respond(404), 9, Step::NOTHING, Completed, Some(32_000)),
            (&[respond(200)], respond(100), 9, Step::NOTHING, Completed, Some(32_000)),
            (&[respond(200)], Unsent, 9, unsent, Completed, None),
            (&[respond(200)], Time, 31_999, Step::NOTHING, Completed, Some(32_000)),
            (&[respond(200)], Time, 32_000, over, Completed, None),
        ] {
            let mut machine = Server::new(false);
            for event in before {
                machine.on(*event, 0, &T);
            }
            let found = machine.on(event, at, &T);
            assert_eq!((found, machine.state()), (step, state), "{before:?} {event:?} {at}");
            if !step.ended {
                assert_eq!(machine.clock.next_ms(), next, "{before:?} {event:?} {at}");
            }
        }
    }

    #[test]
    fn a_reliable_transport_is_done_with_the_answer() {
        assert_eq!(Server::new(true).on(respond(200), 7, &T), Step::NEW.and_end(true));
    }
}
