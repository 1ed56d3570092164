//! The limits every super-node holds to, so that what one accepts all accept.

/// Longest key, in bytes.
pub const KEY_MAX: usize = 1024;

/// Longest value, in bytes. Larger things are cut into chunks by whoever stores them.
pub const VALUE_MAX: usize = 64 * 1024;

/// Longest secret, in bytes: what OpenDHT's `rm` takes, and what keeps a tombstone within
/// [`TOMBSTONE_MAX`].
pub const SECRET_MAX: usize = 40;

/// Shortest time to live, in seconds.
pub const TTL_MIN_S: u64 = 1;

/// Longest time to live, in seconds: seven days, OpenDHT's own bound.
pub const TTL_MAX_S: u64 = 604_800;

/// How long the removal of an entry is remembered, in seconds. Longer than any ttl, so that no
/// copy of the entry can outlive the memory of its removal; the hour is slack for clocks of
/// different speed and for copies under way.
pub const TOMBSTONE_TTL_S: u64 = TTL_MAX_S + 3600;

/// What one tombstone costs a key's quota, in bytes, and the most its record may take on disk.
pub const TOMBSTONE_MAX: usize = 150;

/// Most entries under one key, tombstones included.
pub const ENTRIES_PER_KEY_MAX: usize = 1024;

/// Most bytes of values under one key, each tombstone counted as [`TOMBSTONE_MAX`].
pub const BYTES_PER_KEY_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of what one key has signed that a replica keeps, removals included, and what each takes beside its
/// body. A super-node that 100,000 phones are registered at has signed 70 MB of statements; a fifth of what a
/// store in memory holds is left to nobody who signs with one key alone.
pub const AUTHOR_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How far a version may be ahead of the one it replaces. Honest clocks advance by one per
/// operation; 2^40 of those do not happen within a week, and 2^24 jumps are left before the counter ends.
pub const VERSION_JUMP_MAX: u64 = 1 << 40;

/// Super-nodes that keep a copy of each entry.
pub const REPLICAS: usize = 3;

/// Longest Service-ID, in bytes of UTF-8: room for a phrase in any script, and for many in a page.
pub const SERVICE_ID_MAX: usize = 64;

/// Most values one key of a list may hold: what one answer carries even where each has
/// [`LIST_VALUE_MAX`] bytes.
pub const LIST_ROOM: usize = 256;

/// Longest value in a list, in bytes: what is longer is put elsewhere, and its key in the list.
pub const LIST_VALUE_MAX: usize = 1024;
