//! Alerts of What's UP: how long after a member begins to share something those who follow the community are
//! told, over nine super-nodes' JSON doors.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use base::{Name, SigningKey};
use tokio::runtime::Builder;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use whatsup::alerts::Alerts;
use whatsup::community::{Community, Description};
use whatsup::overlay::Http;
use whatsup::post::Draft;
use whatsup::{Author, Net};

use super::Settings;
use super::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};
use crate::cluster::{Cluster, Shape};
use crate::stats::percentile;

/// As the project says of its speed.
const NODES: usize = 9;
const FOLLOWERS: usize = 200;
/// Members who share, each once a second: ten posts a second.
const SHARERS: usize = 10;
const EVERY: Duration = Duration::from_secs(1);
/// The project's own.
const FLOOR_MS: f64 = 150.0;
/// After the last post, until all have been told.
const PATIENCE: Duration = Duration::from_secs(10);
/// People who join at once.
const AT_ONCE: usize = 8;

/// When each post was begun.
type Begun = Arc<Mutex<HashMap<String, Instant>>>;

/// What came of one crowd of followers.
#[derive(Default)]
struct Told {
    micros: Vec<u32>,
    missed: u64,
    posts: usize,
}

/// Measures.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let dir = settings.temp_dir()?;
    let mut choice = Choice::seeded(fresh_seed());
    let data = Some(dir.path().to_owned());
    let shape = Shape { nodes: NODES, data, base_http: None };
    let cluster = Cluster::serving(&shape, &mut choice)?;
    let nodes = cluster.http();
    let lasts = Duration::from_secs(if settings.quick { 5 } else { 30 });
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new("Alerts: nine super-nodes on loopback, ten posts a second");
    for (followers, floor) in [(1, Floor::None), (FOLLOWERS, Floor::AtMost(FLOOR_MS))] {
        let mut told = runtime.block_on(crowd(&nodes, followers, lasts))?;
        let expected = told.posts * followers;
        let mut millis =
            |percent| percentile(&mut told.micros, percent).map_or(f64::NAN, |us| us as f64 / 1e3);
        let what = |percent| format!("{followers} followers told, p{percent}");
        report.add(what(50), millis(50.0), "ms", Floor::None);
        report.add(what(99), millis(99.0), "ms", floor);
        let lost = expected.saturating_sub(told.micros.len());
        report.note(format!(
            "{followers} followers: {} posts, {} alerts; {lost} did not come, of which {} were said to be missed.",
            told.posts,
            told.micros.len(),
            told.missed
        ));
    }
    report.note(
        "From before a member's program begins to share until a follower's has the alert: the post is \
         signed and stored, the bell rung, the follower told, and the ring read and verified. Followers \
         and sharers are one process, which shares the cores with the super-nodes.",
    );
    cluster.stop()?;
    Ok(report)
}

async fn crowd(nodes: &[SocketAddr], followers: usize, lasts: Duration) -> Result<Told> {
    let founder = author(followers, 0)?;
    let net = net(nodes, 0)?;
    let description = Description::new(founder.name(), "Bench", "")?;
    let id = net.found(&founder, description).await?.id();
    let communities: Vec<Community> = (0..SHARERS + followers)
        .map(|n| Ok(self::net(nodes, n)?.community(id)))
        .collect::<Result<_>>()?;
    let mut joins = JoinSet::new();
    for (n, community) in communities.iter().cloned().enumerate() {
        if joins.len() >= AT_ONCE {
            joins.join_next().await.context("no task")???;
        }
        let author = author(followers, n + 1)?;
        joins.spawn(async move { community.join(&author).await.map(drop) });
    }
    while let Some(joined) = joins.join_next().await {
        joined??;
    }
    let begun = Begun::default();
    let ready = Arc::new(Barrier::new(followers + 1));
    let mut listening = JoinSet::new();
    for n in SHARERS..SHARERS + followers {
        let alerts = Alerts::new(self::net(nodes, n)?, [id]);
        listening.spawn(listen(alerts, Arc::clone(&ready), Arc::clone(&begun), lasts));
    }
    ready.wait().await;
    let mut sharing = JoinSet::new();
    for (n, community) in communities.into_iter().take(SHARERS).enumerate() {
        let (author, begun) = (author(followers, n + 1)?, Arc::clone(&begun));
        sharing.spawn(share(community, author, n, begun, lasts));
    }
    let mut told = Told::default();
    while let Some(shared) = sharing.join_next().await {
        told.posts += shared??;
    }
    while let Some(heard) = listening.join_next().await {
        let (micros, missed) = heard??;
        told.micros.extend(micros);
        told.missed += missed;
    }
    Ok(told)
}

/// Shares something once a second; how often.
async fn share(
    community: Community,
    author: Author,
    number: usize,
    begun: Begun,
    lasts: Duration,
) -> Result<usize> {
    let view = community.view().await?;
    tokio::time::sleep(EVERY.mul_f64(number as f64 / SHARERS as f64)).await;
    let mut times = interval(EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ends = Instant::now() + lasts;
    let mut posts = 0;
    while Instant::now() < ends {
        times.tick().await;
        let text = format!("post {posts} of sharer {number}");
        begun.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone(), Instant::now());
        let draft = Draft { text, ..Draft::default() };
        community.share(&author, &view, &draft).await?.indexed?;
        posts += 1;
    }
    Ok(posts)
}

/// Listens until nothing has come for a while: after how many microseconds each alert came, and how many were
/// said to be missed.
async fn listen(
    mut alerts: Alerts,
    ready: Arc<Barrier>,
    begun: Begun,
    lasts: Duration,
) -> Result<(Vec<u32>, u64)> {
    // What was there before is not told.
    alerts.next().await?;
    ready.wait().await;
    let ends = Instant::now() + lasts + EVERY + PATIENCE;
    let (mut micros, mut missed) = (Vec::new(), 0);
    while let Ok(told) =
        timeout(ends.saturating_duration_since(Instant::now()), alerts.next()).await
    {
        let now = Instant::now();
        for alert in told? {
            let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
            let at =
                begun.get(&alert.preview).ok_or_else(|| anyhow!("told of what nobody shared"))?;
            micros.push(u32::try_from((now - *at).as_micros()).unwrap_or(u32::MAX));
            missed += alert.missed;
        }
        ensure!(micros.len() < 1_000_000, "told too much");
    }
    Ok((micros, missed))
}

/// By one super-node, as a laptop's own.
fn net(nodes: &[SocketAddr], number: usize) -> Result<Net> {
    let node = format!("http://{}", nodes[number % nodes.len()]).parse()?;
    Ok(Net::new(Http::new(vec![node], None)))
}

fn author(crowd: usize, number: usize) -> Result<Author> {
    let name = Name::new(&format!("person{crowd}-{number}"))?;
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    seed[8..16].copy_from_slice(&(crowd as u64).to_be_bytes());
    Ok(Author::new(name, SigningKey::from_bytes(&seed)))
}
