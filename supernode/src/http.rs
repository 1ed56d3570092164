//! HTTP: which path is whose, and how connections come and go.
//!
//! | path | method | answers |
//! |---|---|---|
//! | `/`, `/RPC2` | POST | XML-RPC |
//! | `/` | GET | what this is, for people |
//! | `/healthz` | GET | `ok` while it serves |
//! | `/api/v1/status` | GET | JSON |
//! | `/api/v1/services` | GET | the services there are, JSON |
//! | `/api/v1/services/ID` | GET, POST, DELETE | who offers one; offers one, and no more |
//! | `/api/v1/batch`, `put`, `get`, `remove` | POST | the overlay, JSON |
//! | `/api/v1/watch` | POST | which of many keys has changed, JSON |
//! | `/api/v1/session` | POST | a token, if the node has a passphrase and is told it |
//! | `/api/v1/registrations` | GET | who is registered here, JSON, to this machine only |
//! | `/phone` | GET | what to type into a softphone; below it the same for Linphone |
//! | `/sip` | GET | a WebSocket with the subprotocol `sip` (RFC 7118) |
//! | `/metrics` | GET | Prometheus text, to this machine only unless configured |
//!
//! ```text
//! accept ─ guests: is there room? ─ head ─ door: may it come in? ─ body ─ budget: is there memory?
//!                             reply ◄─ budget ◄─ the work ◄─ gate: whose turn is it? ◄──┘
//! ```

mod admission;
mod body;
mod budget;
mod debts;
mod door;
mod gate;
mod guests;
mod routes;
mod server;
mod solitude;
mod stall;
mod turns;
mod watching;

pub use budget::Budget;
pub use door::Door;
pub use gate::Gate;
pub use watching::Watching;

pub use routes::router;
pub use server::{Server, listen};
