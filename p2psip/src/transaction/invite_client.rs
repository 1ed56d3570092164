//! The client's side of an INVITE (RFC 3261 §17.1.1 with RFC 6026 §7.2).
//!
//! ```text
//!   Calling ──1xx──► Proceeding ──300–699──► Completed ── D ──► over
//!    │ A: again         │                     300–699: ACK again
//!    │ B: no response   └──2xx──► Accepted ── M ──► over
//!    └──── 2xx, 300–699: as from Proceeding     2xx: told each time
//! ```

use super::ClientEvent;
use super::step::{Sending, Step, Telling};
use super::timers::{Clock, Due, Timers};

/// Of what is known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sent, and nothing heard.
    Calling,
    /// A provisional response has come.
    Proceeding,
    /// Refused, and acknowledged.
    Completed,
    /// Accepted; each further 2xx is somebody else's, or a repetition the user acknowledges.
    Accepted,
}

/// The machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteClient {
    state: State,
    reliable: bool,
    pub(super) clock: Clock,
}

impl InviteClient {
    /// The INVITE is sent now, over a transport that is reliable or not.
    pub fn new(reliable: bool, now_ms: u64, timers: &Timers) -> InviteClient {
        let mut clock = Clock::stopped();
        clock.end_after(timers.patience_ms(), now_ms);
        if !reliable {
            clock.resend_after(timers.t1_ms, now_ms);
        }
        InviteClient { state: State::Calling, reliable, clock }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Something happens.
    pub fn on(&mut self, event: ClientEvent, now_ms: u64, timers: &Timers) -> Step {
        match (self.state, event) {
            (State::Calling | State::Proceeding, ClientEvent::Response(status)) => {
                self.clock.stop();
                if status.is_provisional() {
                    self.state = State::Proceeding;
                    return Step::EVENT;
                }
                if status.is_success() {
                    self.state = State::Accepted;
                    self.clock.end_after(timers.patience_ms(), now_ms);
                    return Step::EVENT;
                }
                self.state = State::Completed;
                self.clock.end_after(timers.d_ms, now_ms);
                // Over a reliable transport nothing is repeated: there is nothing to wait for.
                Step::ACK.and_tell(Telling::Event).and_end(self.reliable)
            }
            (State::Completed, ClientEvent::Response(status))
                if status.is_final() && !status.is_success() =>
            {
                Step::AGAIN
            }
            (State::Accepted, ClientEvent::Response(status)) if status.is_success() => Step::EVENT,
            (_, ClientEvent::Response(_)) => Step::NOTHING,
            (state, ClientEvent::Time) => match (state, self.clock.due(now_ms)) {
                (_, Due::Nothing) => Step::NOTHING,
                (_, Due::Resend) => {
                    self.clock.resend_later(u64::MAX, now_ms);
                    Step::AGAIN
                }
                (State::Calling, Due::End) => Step::telling(Telling::NoResponse).and_end(true),
                (_, Due::End) => Step::NOTHING.and_end(true),
            },
            // A user that has its answer already need not know.
            (State::Accepted, ClientEvent::Unsent) => Step::NOTHING,
            (_, ClientEvent::Unsent) => {
                Step { send: Sending::Nothing, tell: Telling::Unsent, ended: true }
            }
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

    fn after(reliable: bool, events: &[ClientEvent]) -> InviteClient {
        let mut machine = InviteClient::new(reliable, 0, &T);
        for event in events {
            machine.on(*event, 0, &T);
        }
        machine
    }

    #[test]
    fn each_transition_is_that_of_the_rfc() {
        use State::{Accepted, Calling, Completed, Proceeding};
        let (over, refused) = (Step::NOTHING.and_end(true), Step::ACK.and_tell(Telling::Event));
        let unsent = Step::telling(Telling::Unsent).and_end(true);
        let silent = Step::telling(Telling::NoResponse).and_end(true);
        let time = ClientEvent::Time;
        for (before, event, at, step, state, next) in [
            (&[][..], time, 499, Step::NOTHING, Calling, Some(500)),
            (&[], time, 500, Step::AGAIN, Calling, Some(1500)),
            (&[], time, 32_000, silent, Calling, None),
            (&[], reply(100), 9, Step::EVENT, Proceeding, None),
            (&[], reply(200), 9, Step::EVENT, Accepted, Some(32_009)),
            (&[], reply(404), 9, refused, Completed, Some(32_009)),
            (&[], ClientEvent::Unsent, 9, unsent, Calling, None),
            (&[reply(180)], time, 99_999, Step::NOTHING, Proceeding, None),
            (&[reply(180)], reply(183), 9, Step::EVENT, Proceeding, None),
            (&[reply(180)], reply(299), 9, Step::EVENT, Accepted, Some(32_009)),
            (&[reply(180)], reply(300), 9, refused, Completed, Some(32_009)),
            (&[reply(180)], ClientEvent::Unsent, 9, unsent, Proceeding, None),
            (&[reply(486)], reply(486), 9, Step::AGAIN, Completed, Some(32_000)),
            (&[reply(486)], reply(180), 9, Step::NOTHING, Completed, Some(32_000)),
            (&[reply(486)], reply(200), 9, Step::NOTHING, Completed, Some(32_000)),
            (&[reply(486)], time, 31_999, Step::NOTHING, Completed, Some(32_000)),
            (&[reply(486)], time, 32_000, over, Completed, None),
            (&[reply(486)], ClientEvent::Unsent, 9, unsent, Completed, None),
            (&[reply(200)], reply(200), 9, Step::EVENT, Accepted, Some(32_000)),
            (&[reply(200)], reply(180), 9, Step::NOTHING, Accepted, Some(32_000)),
            (&[reply(200)], reply(500), 9, Step::NOTHING, Accepted, Some(32_000)),
            (&[reply(200)], ClientEvent::Unsent, 9, Step::NOTHING, Accepted, Some(32_000)),
            (&[reply(200)], time, 32_000, over, Accepted, None),
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
    fn it_is_sent_seven_times_and_given_up() {
        let (mut machine, mut sent) = (after(false, &[]), vec![0]);
        while let Some(now) = machine.clock.next_ms() {
            match machine.on(ClientEvent::Time, now, &T) {
                Step::AGAIN => sent.push(now),
                step => {
                    assert_eq!(step, Step::telling(Telling::NoResponse).and_end(true));
                    assert_eq!(now, 32_000);
                    break;
                }
            }
        }
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    }

    #[test]
    fn a_reliable_transport_repeats_nothing() {
        assert_eq!(after(true, &[]).clock.next_ms(), Some(32_000));
        let mut machine = after(true, &[reply(180)]);
        let step = machine.on(reply(603), 7, &T);
        assert_eq!(step, Step::ACK.and_tell(Telling::Event).and_end(true));
    }
}
