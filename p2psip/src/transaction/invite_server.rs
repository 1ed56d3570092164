//! The server's side of an INVITE (RFC 3261 §17.2.1 with RFC 6026 §7.1).
//!
//! ```text
//!   Proceeding ──300–699──► Completed ──ACK──► Confirmed ── I ──► over
//!    │ INVITE: the last       │ G, INVITE: again     swallows ACKs
//!    │   response again       └ H: no ACK
//!    └──2xx──► Accepted ── L ──► over
//!               ACK: told; 2xx: sent; INVITE: swallowed
//! ```

use super::ServerEvent;
use super::step::{Step, Telling};
use super::timers::{Clock, Due, Timers};

/// Of what was answered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing final.
    Proceeding,
    /// Refused, and waiting for the ACK.
    Completed,
    /// Refused and acknowledged.
    Confirmed,
    /// Accepted: the user repeats its 2xx until the ACK has come.
    Accepted,
}

/// The machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteServer {
    state: State,
    reliable: bool,
    answered: bool,
    pub(super) clock: Clock,
}

impl InviteServer {
    /// The INVITE has come, over a transport that is reliable or not.
    pub fn new(reliable: bool) -> InviteServer {
        InviteServer {
            state: State::Proceeding,
            reliable,
            answered: false,
            clock: Clock::stopped(),
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Something happens.
    pub fn on(&mut self, event: ServerEvent, now_ms: u64, timers: &Timers) -> Step {
        match (self.state, event) {
            (State::Proceeding, ServerEvent::Request) if self.answered => Step::AGAIN,
            (State::Proceeding, ServerEvent::Respond(status)) => {
                self.answered = true;
                if status.is_success() {
                    self.state = State::Accepted;
                    self.clock.end_after(timers.patience_ms(), now_ms);
                } else if status.is_final() {
                    self.state = State::Completed;
                    self.clock.end_after(timers.patience_ms(), now_ms);
                    if !self.reliable {
                        self.clock.resend_after(timers.t1_ms, now_ms);
                    }
                }
                Step::NEW
            }
            (State::Completed, ServerEvent::Request) => Step::AGAIN,
            (State::Completed, ServerEvent::Ack) => {
                self.state = State::Confirmed;
                self.clock.stop();
                self.clock.end_after(timers.t4_ms, now_ms);
                Step::NOTHING.and_end(self.reliable)
            }
            (State::Accepted, ServerEvent::Ack) => Step::EVENT,
            (State::Accepted, ServerEvent::Respond(status)) if status.is_success() => Step::NEW,
            (_, ServerEvent::Request | ServerEvent::Ack | ServerEvent::Respond(_)) => Step::NOTHING,
            (State::Proceeding | State::Completed, ServerEvent::Unsent) => {
                Step::telling(Telling::Unsent).and_end(self.state == State::Completed)
            }
            (State::Accepted, ServerEvent::Unsent) => Step::telling(Telling::Unsent),
            (State::Confirmed, ServerEvent::Unsent) => Step::NOTHING,
            (state, ServerEvent::Time) => match (state, self.clock.due(now_ms)) {
                (_, Due::Nothing) => Step::NOTHING,
                (_, Due::Resend) => {
                    self.clock.resend_later(timers.t2_ms, now_ms);
                    Step::AGAIN
                }
                (State::Completed, Due::End) => Step::telling(Telling::NoAck).and_end(true),
                (_, Due::End) => Step::NOTHING.and_end(true),
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

    fn after(reliable: bool, events: &[ServerEvent]) -> InviteServer {
        let mut machine = InviteServer::new(reliable);
        for event in events {
            machine.on(*event, 0, &T);
        }
        machine
    }

    #[test]
    fn each_transition_is_that_of_the_rfc() {
        use ServerEvent::{Ack, Request, Time, Unsent};
        use State::{Accepted, Completed, Confirmed, Proceeding};
        let over = Step::NOTHING.and_end(true);
        let unsent = Step::telling(Telling::Unsent);
        let lost = Step::telling(Telling::NoAck).and_end(true);
        let refused = [respond(486)];
        let confirmed = [respond(486), Ack];
        for (before, event, at, step, state, next) in [
            (&[][..], Request, 9, Step::NOTHING, Proceeding, None),
            (&[], Ack, 9, Step::NOTHING, Proceeding, None),
            (&[], Time, 99_999, Step::NOTHING, Proceeding, None),
            (&[], respond(100), 9, Step::NEW, Proceeding, None),
            (&[], respond(200), 9, Step::NEW, Accepted, Some(32_009)),
            (&[], respond(486), 9, Step::NEW, Completed, Some(509)),
            (&[], Unsent, 9, unsent, Proceeding, None),
            (&[respond(180)], Request, 9, Step::AGAIN, Proceeding, None),
            (&[respond(180)], respond(183), 9, Step::NEW, Proceeding, None),
            (&[respond(180)], respond(299), 9, Step::NEW, Accepted, Some(32_009)),
            (&[respond(180)], respond(300), 9, Step::NEW, Completed, Some(509)),
            (&refused, Request, 9, Step::AGAIN, Completed, Some(500)),
            (&refused, Time, 499, Step::NOTHING, Completed, Some(500)),
            (&refused, Time, 500, Step::AGAIN, Completed, Some(1500)),
            (&refused, Time, 32_000, lost, Completed, None),
            (&refused, respond(200), 9, Step::NOTHING, Completed, Some(500)),
            (&refused, Ack, 9, Step::NOTHING, Confirmed, Some(5009)),
            (&refused, Unsent, 9, unsent.and_end(true), Completed, None),
            (&confirmed, Request, 9, Step::NOTHING, Confirmed, Some(5000)),
            (&confirmed, Ack, 9, Step::NOTHING, Confirmed, Some(5000)),
            (&confirmed, respond(500), 9, Step::NOTHING, Confirmed, Some(5000)),
            (&confirmed, Unsent, 9, Step::NOTHING, Confirmed, Some(5000)),
            (&confirmed, Time, 5000, over, Confirmed, None),
            (&[respond(200)], Request, 9, Step::NOTHING, Accepted, Some(32_000)),
            (&[respond(200)], Ack, 9, Step::EVENT, Accepted, Some(32_000)),
            (&[respond(200)], respond(200), 9, Step::NEW, Accepted, Some(32_000)),
            (&[respond(200)], respond(486), 9, Step::NOTHING, Accepted, Some(32_000)),
            (&[respond(200)], Unsent, 9, unsent, Accepted, Some(32_000)),
            (&[respond(200)], Time, 32_000, over, Accepted, None),
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
    fn a_refusal_is_repeated_until_the_ack_has_come() {
        let (mut machine, mut sent) = (after(false, &[respond(486)]), vec![0]);
        while let Some(now) = machine.clock.next_ms() {
            let step = machine.on(ServerEvent::Time, now, &T);
            if step.ended {
                assert_eq!((now, step.tell), (32_000, Telling::NoAck));
                break;
            }
            sent.push(now);
        }
        assert_eq!(sent[..6], [0, 500, 1500, 3500, 7500, 11_500]);
        assert_eq!(sent.len(), 11);
    }

    #[test]
    fn a_reliable_transport_repeats_nothing_but_waits_for_the_ack() {
        let mut machine = after(true, &[respond(486)]);
        assert_eq!(machine.clock.next_ms(), Some(32_000));
        assert_eq!(machine.on(ServerEvent::Ack, 7, &T), Step::NOTHING.and_end(true));
    }
}
