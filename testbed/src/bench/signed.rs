//! What it takes to believe an author: checking signed entries in one thread, beside the library that
//! does it and the hashes it stands on; and a page of them read through three super-nodes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::limits::ENTRIES_PER_KEY_MAX;
use base::{Key, Kind, Place, Sequence, SignatureCache, Signed, SigningKey, Slot, Ttl};
use dht::testnet::Testnet;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha512};
use tokio::runtime::Builder;

use super::Settings;
use super::load::VALUE_SIZE;
use super::report::{Floor, Report};
use crate::stats::median;

/// Entries that are checked in turns, each of another author: more than a processor's caches hold of
/// what it knows of a key.
const ENTRIES: usize = 4096;
/// The project's own: so many a second on one core.
const FLOOR: f64 = 20_000.0;
/// Of them one page has.
const PAGE: usize = 256;
/// Of such pages.
const PAGES: usize = 4;

/// What is done to an entry, a side of a round.
const SIDES: [(&str, Floor); 7] = [
    ("SHA-512 of an entry", Floor::None),
    ("BLAKE3 of an entry", Floor::None),
    ("ed25519-dalek, strictly, keys read before", Floor::None),
    ("ed25519-dalek, strictly", Floor::None),
    ("Signed::check", Floor::AtLeast(FLOOR)),
    ("read from bytes, then checked", Floor::AtLeast(FLOOR)),
    ("checked again, remembered", Floor::None),
];

/// The same entries as each side needs them.
struct Batch {
    place: Place,
    entries: Vec<Signed>,
    /// What is signed, by whom, and the signature.
    raw: Vec<(Vec<u8>, [u8; 32], VerifyingKey, Signature)>,
    cache: SignatureCache,
}

/// Measures.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let mut report = Report::new("Signed entries of 100-byte bodies, one thread");
    let batch = Batch::new(if settings.quick { 64 } else { ENTRIES })?;
    let mut rates: [Vec<f64>; SIDES.len()] = Default::default();
    for _ in 0..settings.rounds() {
        for (side, rates) in rates.iter_mut().enumerate() {
            rates.push(batch.rate(side, settings.turn() / 4)?);
        }
    }
    let middle = |values: &[f64]| median(values).unwrap_or(f64::NAN);
    for ((what, floor), rates) in SIDES.into_iter().zip(&rates) {
        report.add(what, middle(rates), "/s", floor);
    }
    let ratios: Vec<f64> = rates[4].iter().zip(&rates[3]).map(|(ours, raw)| ours / raw).collect();
    report.add("Signed::check ÷ ed25519-dalek", middle(&ratios), "×", Floor::None);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let [first, again] = runtime.block_on(pages()).context("pages")?;
    report.add("a page of 256 at one of three nodes, p50", millis(&first), "ms", Floor::None);
    report.add("the same page again, p50", millis(&again), "ms", Floor::None);
    Ok(report)
}

impl Batch {
    fn new(count: usize) -> Result<Batch> {
        let place = Key::new("signed")?.place();
        let entries = (0..count).map(|n| note(n, &place)).collect::<Result<Vec<_>>>()?;
        let raw = entries.iter().map(|entry| raw(entry, &place)).collect::<Result<_>>()?;
        Ok(Batch { place, entries, raw, cache: SignatureCache::default() })
    }

    /// How many entries a second one of the [`SIDES`] gets done.
    fn rate(&self, side: usize, time: Duration) -> Result<f64> {
        let (began, mut done, mut right) = (Instant::now(), 0, true);
        while began.elapsed() < time {
            for at in (0..self.entries.len()).cycle().skip(done).take(64) {
                right &= self.one(side, at)?;
            }
            done += 64;
        }
        ensure!(right, "{}: a signature is wrong", SIDES[side].0);
        Ok(done as f64 / began.elapsed().as_secs_f64())
    }

    fn one(&self, side: usize, at: usize) -> Result<bool> {
        let entry = &self.entries[at];
        let (message, key, read, signature) = &self.raw[at];
        Ok(match side {
            0 => black_box(Sha512::digest(message))[..] != [0; 64],
            1 => black_box(blake3::hash(message)) != [0; 32],
            2 => read.verify_strict(message, signature).is_ok(),
            3 => VerifyingKey::from_bytes(key)?.verify_strict(message, signature).is_ok(),
            4 => entry.check(&self.place).is_ok(),
            5 => Signed::from_bytes(entry.as_bytes().clone())?.check(&self.place).is_ok(),
            _ => self.cache.check(entry, &self.place).is_ok(),
        })
    }
}

fn note(n: usize, place: &Place) -> Result<Signed> {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(n as u64).to_le_bytes());
    let (key, body) = (SigningKey::from_bytes(&seed), [b'v'; VALUE_SIZE]);
    let (slot, sequence) = (Slot::ZERO, Sequence::new(1));
    Ok(Signed::sign(&key, place, slot, Kind::Plain, sequence, Ttl::MAX, &body)?)
}

/// What `docs/reference/signed.md` says is signed.
fn raw(entry: &Signed, place: &Place) -> Result<(Vec<u8>, [u8; 32], VerifyingKey, Signature)> {
    let (unsigned, signature) =
        entry.as_bytes().split_last_chunk::<64>().context("no signature")?;
    let message = [b"scope signed entry 1", &place.as_bytes()[..], unsigned].concat();
    let author = *entry.author().as_bytes();
    let key = VerifyingKey::from_bytes(&author)?;
    Ok((message, author, key, Signature::from_bytes(signature)))
}

/// How long pages took at a node that has not seen them, and then again.
async fn pages() -> Result<[Vec<f64>; 2]> {
    const { assert!(PAGE <= ENTRIES_PER_KEY_MAX) };
    let testnet = Testnet::start(3).await?;
    let mut keys = Vec::new();
    for number in 0..PAGES {
        let key = Key::new(format!("page {number}"))?;
        for n in 0..PAGE {
            testnet.node(0).put_signed(&key, note(n, &key.place())?).await?;
        }
        keys.push(key);
    }
    let mut took = [Vec::new(), Vec::new()];
    for took in &mut took {
        for key in &keys {
            let began = Instant::now();
            let page = testnet.node(1).signed(key, None, PAGE).await?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
            ensure!(page.entries.len() == PAGE, "{} of {PAGE} were read", page.entries.len());
        }
    }
    testnet.close().await;
    Ok(took)
}

fn millis(took: &[f64]) -> f64 {
    median(took).unwrap_or(f64::NAN)
}
