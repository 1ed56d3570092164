//! Who holds a name: what a claimant signs, what replicas tell about it, in which order claims stand, and
//! how a replica decides. Why so: `docs/decisions/0018-claims.md`.

mod contest;
mod order;
mod report;
mod statement;

pub use contest::{Admission, Contest, Memory};
pub use order::{Standing, order, standing};
pub use report::{Held, Report, ReportError, Told};
pub use statement::{Claim, ClaimError, HEIRS_MAX, Succession};

#[cfg(test)]
mod simulation;
