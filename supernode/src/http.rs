//! HTTP: which path is whose, and how connections come and go.
//!
//! | path | method | answers |
//! |---|---|---|
//! | `/`, `/RPC2` | POST | XML-RPC |
//! | `/` | GET | what this is, for people |
//! | `/healthz` | GET | `ok` while it serves |
//! | `/api/v1/status` | GET | JSON |
//! | `/metrics` | GET | Prometheus text, to this machine only unless configured |

mod body;
mod routes;
mod server;
mod stall;

pub use routes::router;
pub use server::{Server, listen};
