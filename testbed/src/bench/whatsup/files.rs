//! Files: how fast one is shared, beside the disk alone, and fetched.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use whatsup::blob::{Partial, Source};

use super::{author, net};
use crate::bench::Settings;
use crate::bench::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};

const SIZE: usize = 32 * 1024 * 1024;
const QUICK: usize = 2 * 1024 * 1024;
/// Copies of what is shared.
const COPIES: usize = 3;

/// Shares a file at one super-node and fetches it at another.
pub(super) async fn measure(
    report: &mut Report,
    http: &[SocketAddr],
    settings: &Settings,
) -> Result<()> {
    let size = if settings.quick { QUICK } else { SIZE };
    let dir = settings.temp_dir()?;
    let (mut disk, mut shares, mut fetches) = (Vec::new(), Vec::new(), Vec::new());
    let mut choice = Choice::seeded(fresh_seed());
    for round in 0..settings.rounds().min(3) {
        let bytes: Vec<u8> = (0..size / 8).flat_map(|_| choice.bits().to_le_bytes()).collect();
        let began = Instant::now();
        let mut alone = File::create(dir.path().join("alone"))?;
        for _ in 0..COPIES {
            alone.write_all(&bytes)?;
        }
        alone.sync_all()?;
        disk.push(rate(size, began));
        let (sharer, writer) = (author("sharer", round)?, net(http, round)?);
        let began = Instant::now();
        let source = Source::Bytes(bytes.clone().into());
        let blob = writer.blobs().share(&sharer, &source, &|_| ()).await?;
        shares.push(rate(size, began));
        let reader = net(http, round + 4)?;
        let target = dir.path().join(format!("fetched-{round}"));
        let began = Instant::now();
        let partial = Partial::open(&target, &blob)?;
        reader.blobs().fetch(&blob, &partial, &|_| ()).await?;
        let path = partial.finish()?;
        fetches.push(rate(size, began));
        ensure!(std::fs::read(path)? == bytes, "another file came back");
    }
    let (disk, shared, fetched) = (middle(disk), middle(shares), middle(fetches));
    report.add(
        "three times the bytes of a file written and synced",
        disk,
        "MB/s of it",
        Floor::None,
    );
    report.add("a file is shared", shared, "MB/s", Floor::None);
    report.add("that ÷ the disk alone", shared / disk, "×", Floor::AtLeast(0.3));
    report.add("a file is fetched", fetched, "MB/s", Floor::AtLeast(30.0));
    Ok(())
}

fn rate(size: usize, began: Instant) -> f64 {
    size as f64 / 1e6 / began.elapsed().as_secs_f64()
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}
