//! What the paper (Mani, Nguyen, Crespi: *SCOPE: A Prototype for Spontaneous P2P Social Networking*, 2010)
//! says of its measurements, as far as its text gives numbers. Its curves are not redrawn: no more is known
//! of them here than this.

/// Super-nodes on each of the nine laptops, in turn.
pub(super) const PER_LAPTOP: std::ops::RangeInclusive<usize> = 1..=8;
pub(super) const LAPTOPS: usize = 9;
/// How much longer a request to the overlay took with 72 super-nodes than with 9.
pub(super) const LATENCY_GROWTH: f64 = 4.0;
/// The overlay's part of registration, and of session setup.
pub(super) const REGISTRATION_SHARE: f64 = 0.198;
pub(super) const SETUP_SHARE: f64 = 0.321;
/// Super-nodes and clients of its validation.
pub(super) const VALIDATION: (usize, usize) = (11, 200);
