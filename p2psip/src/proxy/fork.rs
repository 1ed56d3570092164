//! A request that was passed on, maybe to many: what follows from each response (RFC 3261 §16.7), from
//! silence (§16.8, §16.9) and from a CANCEL (§16.10).
//!
//! ```text
//!   wave of branches ──► all refused ──► next wave … ──► the best refusal goes back
//!          └─ 2xx ──► goes back, the others are cancelled
//! ```

use std::collections::VecDeque;

use super::route::UNKNOWN_TOKEN;
use super::target::Target;
use crate::message::{HeaderName, Message, Status};

/// What to do.
#[derive(Debug, Clone)]
pub enum Act {
    /// Begin a branch to each of these: the first gets the number that is given.
    Start(usize, Vec<Target>),
    /// Pass the response on that was just told, or an earlier one. More challenges may have to be added.
    Forward(Message, Vec<(HeaderName, String)>),
    /// Answer with a response of one's own.
    Reply(Status),
    /// Cancel a branch.
    Cancel(usize),
}

/// The state of one request and its branches.
#[derive(Debug)]
pub struct Fork {
    is_invite: bool,
    for_neighbour: bool,
    waves: VecDeque<Vec<Target>>,
    branches: Vec<State>,
    best: Option<(Status, Option<Message>)>,
    challenges: Vec<(HeaderName, String)>,
    answered: bool,
    stopped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come: a CANCEL has to wait (§9.1).
    Calling {
        cancel: bool,
    },
    Proceeding {
        cancelled: bool,
    },
    /// Given up before anything came: what comes still is cancelled.
    Lost,
    Done,
}

impl Fork {
    /// Of a request to these waves of targets; and what to do first. To another super-node
    /// (`for_neighbour`) it is said that a flow has failed, and to phones only that nobody is there.
    pub fn new(is_invite: bool, for_neighbour: bool, waves: Vec<Vec<Target>>) -> (Fork, Vec<Act>) {
        let mut fork = Fork {
            is_invite,
            for_neighbour,
            waves: waves.into(),
            branches: Vec::new(),
            best: None,
            challenges: Vec::new(),
            answered: false,
            stopped: false,
        };
        let acts = fork.go_on();
        (fork, acts)
    }

    /// Whether a final response went back.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether nothing is under way any more.
    pub fn is_over(&self) -> bool {
        self.answered && self.branches.iter().all(|state| state.is_over())
    }

    /// A branch has got a response.
    pub fn on_response(&mut self, branch: usize, response: Message) -> Vec<Act> {
        let (Some(status), Some(state)) = (response.status(), self.branches.get(branch).copied())
        else {
            return Vec::new();
        };
        if status.is_provisional() {
            return self.on_provisional(branch, state, status, response);
        }
        self.set(branch, State::Done);
        if status.is_success() {
            if self.answered && !self.is_invite {
                return Vec::new();
            }
            // Every 2xx to an INVITE goes back, however many (§16.7, step 5).
            self.answered = true;
            let mut acts = vec![Act::Forward(response, Vec::new())];
            acts.extend(self.stop());
            return acts;
        }
        let mut acts = Vec::new();
        if status.code() >= 600 {
            acts = self.stop();
        }
        self.refused(status, Some(response));
        acts.extend(self.go_on());
        acts
    }

    fn on_provisional(
        &mut self,
        branch: usize,
        state: State,
        status: Status,
        response: Message,
    ) -> Vec<Act> {
        let mut acts = Vec::new();
        match state {
            State::Calling { cancel: true } => {
                self.set(branch, State::Proceeding { cancelled: true });
                acts.push(Act::Cancel(branch));
            }
            State::Calling { cancel: false } => {
                self.set(branch, State::Proceeding { cancelled: false });
            }
            State::Lost => {
                self.set(branch, State::Proceeding { cancelled: true });
                return vec![Act::Cancel(branch)];
            }
            State::Proceeding { .. } => {}
            State::Done => return acts,
        }
        if status != Status::TRYING && !self.answered {
            acts.push(Act::Forward(response, Vec::new()));
        }
        acts
    }

    /// A branch did not answer, or could not be reached: as if it had said so (408, 503).
    pub fn on_failure(&mut self, branch: usize, status: Status) -> Vec<Act> {
        let Some(state) = self.branches.get(branch).filter(|state| !state.is_over()) else {
            return Vec::new();
        };
        let calling = matches!(state, State::Calling { .. });
        self.set(branch, if calling && self.is_invite { State::Lost } else { State::Done });
        self.refused(status, None);
        self.go_on()
    }

    /// Nobody cares any more: the caller has cancelled.
    pub fn on_cancel(&mut self) -> Vec<Act> {
        if self.answered {
            return Vec::new();
        }
        let mut acts = self.stop();
        if self.branches.iter().all(|state| state.is_over()) {
            self.refused(Status::REQUEST_TERMINATED, None);
        }
        acts.extend(self.go_on());
        acts
    }

    /// It rang for too long (timer C): what rings is cancelled. What is silent, or was cancelled and has
    /// not answered for 64·T1 (§9.1), is given up.
    pub fn on_timer_c(&mut self) -> Vec<Act> {
        let given_up = |state: &State| {
            matches!(state, State::Calling { .. } | State::Proceeding { cancelled: true })
        };
        let gone: Vec<bool> = self.branches.iter().map(given_up).collect();
        let mut acts = self.stop();
        for (branch, _) in gone.iter().enumerate().filter(|(_, gone)| **gone) {
            acts.extend(self.on_failure(branch, Status::REQUEST_TIMEOUT));
        }
        acts
    }

    /// No more waves; what is under way is cancelled.
    fn stop(&mut self) -> Vec<Act> {
        self.stopped = true;
        self.waves.clear();
        let mut acts = Vec::new();
        if !self.is_invite {
            return acts;
        }
        for (branch, state) in self.branches.iter_mut().enumerate() {
            match state {
                State::Calling { cancel } => *cancel = true,
                State::Proceeding { cancelled: false } => {
                    *state = State::Proceeding { cancelled: true };
                    acts.push(Act::Cancel(branch));
                }
                State::Proceeding { .. } | State::Lost | State::Done => {}
            }
        }
        acts
    }

    fn set(&mut self, branch: usize, state: State) {
        if let Some(slot) = self.branches.get_mut(branch) {
            *slot = state;
        }
    }

    fn refused(&mut self, status: Status, response: Option<Message>) {
        if let Some(response) = &response {
            for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
                let fields = response.fields_of(name);
                let texts =
                    fields.map(|field| (name, String::from_utf8_lossy(field.value).into_owned()));
                self.challenges.extend(texts);
            }
        }
        // Nobody but a neighbour is to know of flows, nor take the proxy for the one who is overloaded
        // (§16.7, step 6).
        let unknown = response.as_ref().is_some_and(|r| r.reason() == UNKNOWN_TOKEN.as_bytes());
        let (status, response) = match status {
            Status::FLOW_FAILED if self.for_neighbour => (status, response),
            Status::FORBIDDEN if unknown => (Status::TEMPORARILY_UNAVAILABLE, None),
            Status::FLOW_FAILED => (Status::TEMPORARILY_UNAVAILABLE, None),
            Status::SERVICE_UNAVAILABLE => (Status::SERVER_INTERNAL_ERROR, None),
            status => (status, response),
        };
        let better = self.best.as_ref().is_none_or(|(best, _)| rank(status) < rank(*best));
        if better {
            self.best = Some((status, response));
        }
    }

    fn go_on(&mut self) -> Vec<Act> {
        if self.answered || self.branches.iter().any(|state| !state.is_over()) {
            return Vec::new();
        }
        if !self.stopped
            && let Some(wave) = self.waves.pop_front()
        {
            let first = self.branches.len();
            self.branches.extend(wave.iter().map(|_| State::Calling { cancel: false }));
            return vec![Act::Start(first, wave)];
        }
        self.answered = true;
        match self.best.take() {
            Some((_, Some(response))) => {
                let status = response.status();
                let own = |name: &HeaderName, value: &String| {
                    response
                        .fields_of(*name)
                        .any(|field| String::from_utf8_lossy(field.value) == *value)
                };
                // All that were challenged for are (§16.7, step 7).
                let challenged = matches!(
                    status,
                    Some(Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED)
                );
                let mut more = std::mem::take(&mut self.challenges);
                more.retain(|(name, value)| challenged && !own(name, value));
                vec![Act::Forward(response, more)]
            }
            Some((status, None)) => vec![Act::Reply(status)],
            None => vec![Act::Reply(Status::TEMPORARILY_UNAVAILABLE)],
        }
    }
}

impl State {
    fn is_over(self) -> bool {
        matches!(self, State::Lost | State::Done)
    }
}

/// The lower, the better (§16.7, step 6): what ends it for all, then what the caller can mend by asking
/// otherwise, then the lowest class; of one class the one that says most.
fn rank(status: Status) -> (u16, u16) {
    let code = status.code();
    match code {
        600.. => (0, code),
        401 | 407 | 415 | 420 | 484 => (4, 0),
        // Silence and absence say less than any answer.
        408 | 480 => (4, 2),
        code => (code / 100, 1),
    }
}

#[cfg(test)]
mod tests;
