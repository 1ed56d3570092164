//! What a machine says to do.

/// What follows from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// What to send.
    pub send: Sending,
    /// What to tell the transaction's user.
    pub tell: Telling,
    /// The transaction is over; nothing need be remembered of it.
    pub ended: bool,
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sending {
    /// Nothing.
    #[default]
    Nothing,
    /// What the event brought; and it is to be kept, for it may be sent again.
    New,
    /// What was sent last.
    Again,
    /// An ACK of the response the event brought; and it is to be kept instead of the request.
    Ack,
}

/// What to tell the transaction's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Telling {
    /// Nothing.
    #[default]
    Nothing,
    /// What the event brought.
    Event,
    /// No response has come (RFC 3261 §8.1.3.1: as if it was a 408).
    NoResponse,
    /// No ACK of a refusal has come. Nothing can be done (§17.2.1).
    NoAck,
    /// It could not be sent (§17.1.4; to a client as if it was a 503).
    Unsent,
}

impl Step {
    pub(super) const NOTHING: Step = Step::telling(Telling::Nothing);
    pub(super) const AGAIN: Step = Step::sending(Sending::Again);
    pub(super) const NEW: Step = Step::sending(Sending::New);
    pub(super) const ACK: Step = Step::sending(Sending::Ack);
    pub(super) const EVENT: Step = Step::telling(Telling::Event);

    const fn sending(send: Sending) -> Step {
        Step { send, tell: Telling::Nothing, ended: false }
    }

    pub(super) const fn telling(tell: Telling) -> Step {
        Step { send: Sending::Nothing, tell, ended: false }
    }

    pub(super) const fn and_tell(self, tell: Telling) -> Step {
        Step { tell, ..self }
    }

    pub(super) const fn and_end(self, ended: bool) -> Step {
        Step { ended, ..self }
    }
}
