//! What's UP at nine super-nodes on loopback, through their JSON doors as the command uses them.

mod files;
mod search;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use base::{Name, SigningKey, Ttl};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Builder;
use whatsup::claiming::{Outcome, claim};
use whatsup::overlay::Http;
use whatsup::post::Draft;
use whatsup::{Author, Net, profile};

use super::Settings;
use super::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};
use crate::cluster::{Cluster, Shape};
use crate::stats::percentile;

const NODES: usize = 9;
/// Whom somebody follows, and what each of them shared.
const FOLLOWED: usize = 50;
const POSTS: usize = 6;
/// How much of a feed is a page.
const PAGE: usize = 50;
/// Feeds and profiles that are read.
const READS: usize = 60;
/// People who do something at a time.
const AT_ONCE: usize = 16;

/// Measures all of it.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let dir = settings.temp_dir()?;
    let mut choice = Choice::seeded(fresh_seed());
    let shape = Shape { nodes: NODES, data: Some(dir.path().to_owned()), base_http: None };
    let cluster = Cluster::serving(&shape, &mut choice)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new("What's UP: nine super-nodes on loopback, by their JSON doors");
    let http = cluster.http();
    runtime.block_on(people(&mut report, &http, settings))?;
    runtime.block_on(files::measure(&mut report, &http, settings))?;
    cluster.stop()?;
    let shape = Shape { nodes: NODES, data: None, base_http: None };
    let cluster = Cluster::serving(&shape, &mut choice)?;
    runtime.block_on(search::measure(&mut report, &cluster.http(), settings))?;
    cluster.stop()?;
    report.note(
        "Readers have a connection and nothing else in memory: each signature is checked. Super-nodes, clients \
         and disks share the cores. Search is at super-nodes that keep nothing on disk.",
    );
    Ok(report)
}

/// A client of the super-node of this number.
fn net(http: &[SocketAddr], number: usize) -> Result<Net> {
    let url = format!("http://{}", http[number % http.len()]).parse()?;
    Ok(Net::new(Http::new(vec![url], None)))
}

/// A person of this number.
fn author(kind: &str, number: usize) -> Result<Author> {
    let name = format!("{kind}{number}");
    let seed = blake3::hash(name.as_bytes());
    Ok(Author::new(Name::new(&name)?, SigningKey::from_bytes(seed.as_bytes())))
}

/// Somebody who has her name.
async fn named(http: &[SocketAddr], kind: &str, number: usize) -> Result<(Author, Net)> {
    let (author, net) = (author(kind, number)?, net(http, number)?);
    let claimed = claim(&net, &author, Ttl::MAX).await?;
    ensure!(claimed == Outcome::Confirmed, "{} has {claimed:?}", author.name());
    Ok((author, net))
}

/// Adds the median, and the 99th percentile if it has a floor.
fn add_times(report: &mut Report, what: &str, took: &mut [u32], p50: Floor, p99: Floor) {
    let mut millis =
        |percent| percentile(took, percent).map_or(f64::NAN, |micros| micros as f64 / 1e3);
    report.add(format!("{what}, p50"), millis(50.0), "ms", p50);
    report.add(format!("{what}, p99"), millis(99.0), "ms", p99);
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Profiles and feeds.
async fn people(report: &mut Report, http: &[SocketAddr], settings: &Settings) -> Result<()> {
    let (followed, reads) = if settings.quick { (10, 10) } else { (FOLLOWED, READS) };
    let entered = (0..followed).map(|n| async move {
        let (author, net) = named(http, "person", n).await?;
        profile::edit(&net, &author, |profile| profile.full_name = format!("Person {n}")).await?;
        for post in 0..POSTS {
            let text = format!("post {post} of person {n}: what there is to say of this talk");
            net.posts().share(&author, &Draft { text, ..Draft::default() }).await?;
        }
        anyhow::Ok(author.name().clone())
    });
    let names: Vec<Name> = stream::iter(entered).buffer_unordered(AT_ONCE).try_collect().await?;
    let (mut profiles, mut feeds) = (Vec::new(), Vec::new());
    for n in 0..reads {
        let reader = net(http, n)?;
        profile::read_of(&reader, &names[0]).await?;
        let began = Instant::now();
        let person = profile::read_of(&reader, &names[1 + n % (followed - 1)]).await?;
        profiles.push(micros(began));
        ensure!(person.is_some_and(|person| person.profile.is_some()), "no profile");
        let began = Instant::now();
        let feed = reader.posts().feed(&names, Vec::new(), |_| false, None, PAGE).await;
        feeds.push(micros(began));
        ensure!(feed.unread.is_empty() && feed.page.items.len() == PAGE, "the feed is not whole");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    add_times(report, "a profile", &mut profiles, Floor::None, Floor::None);
    let what = format!("a page of a feed of {followed} subscriptions");
    add_times(report, &what, &mut feeds, Floor::AtMost(20.0), Floor::None);
    Ok(())
}
