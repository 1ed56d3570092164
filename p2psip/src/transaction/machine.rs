//! One of the four machines, whichever it is.

use super::client::Client;
use super::invite_client::{self, InviteClient};
use super::invite_server::{self, InviteServer};
use super::server::{self, Server};
use super::step::Step;
use super::timers::{Clock, Timers};
use super::{ClientEvent, ServerEvent};

#[derive(Debug, Clone, Copy)]
pub(super) enum Machine {
    InviteClient(InviteClient),
    Client(Client),
    InviteServer(InviteServer),
    Server(Server),
}

impl Machine {
    /// What has come is of no concern to the other side's machines.
    pub(super) fn on_client(&mut self, event: ClientEvent, now_ms: u64, timers: &Timers) -> Step {
        match self {
            Machine::InviteClient(machine) => machine.on(event, now_ms, timers),
            Machine::Client(machine) => machine.on(event, now_ms, timers),
            Machine::InviteServer(_) | Machine::Server(_) => Step::NOTHING,
        }
    }

    pub(super) fn on_server(&mut self, event: ServerEvent, now_ms: u64, timers: &Timers) -> Step {
        match self {
            Machine::InviteServer(machine) => machine.on(event, now_ms, timers),
            Machine::Server(machine) => machine.on(event, now_ms, timers),
            Machine::InviteClient(_) | Machine::Client(_) => Step::NOTHING,
        }
    }

    pub(super) fn on_time(&mut self, now_ms: u64, timers: &Timers) -> Step {
        match self {
            Machine::InviteClient(_) | Machine::Client(_) => {
                self.on_client(ClientEvent::Time, now_ms, timers)
            }
            _ => self.on_server(ServerEvent::Time, now_ms, timers),
        }
    }

    pub(super) fn on_unsent(&mut self, now_ms: u64, timers: &Timers) -> Step {
        match self {
            Machine::InviteClient(_) | Machine::Client(_) => {
                self.on_client(ClientEvent::Unsent, now_ms, timers)
            }
            _ => self.on_server(ServerEvent::Unsent, now_ms, timers),
        }
    }

    pub(super) fn next_ms(&self) -> Option<u64> {
        let clock: &Clock = match self {
            Machine::InviteClient(machine) => &machine.clock,
            Machine::Client(machine) => &machine.clock,
            Machine::InviteServer(machine) => &machine.clock,
            Machine::Server(machine) => &machine.clock,
        };
        clock.next_ms()
    }

    /// Whether it is there only to answer repetitions: without it, one would look like a new request.
    pub(super) fn is_only_an_echo(&self) -> bool {
        matches!(self, Machine::Server(machine) if machine.state() == server::State::Completed)
    }

    pub(super) fn is_unanswered_invite(&self) -> bool {
        use invite_client::State;
        let Machine::InviteClient(machine) = self else { return false };
        matches!(machine.state(), State::Calling | State::Proceeding)
    }

    /// Whether what was sent last may have to be sent again.
    pub(super) fn may_repeat(&self) -> bool {
        match self {
            Machine::InviteClient(machine) => machine.state() != invite_client::State::Accepted,
            Machine::InviteServer(machine) => matches!(
                machine.state(),
                invite_server::State::Proceeding | invite_server::State::Completed
            ),
            Machine::Client(_) | Machine::Server(_) => true,
        }
    }
}
