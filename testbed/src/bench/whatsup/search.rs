//! Search: two words among ten thousand people, and how the index lies on the super-nodes.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use base::{Name, Ttl};
use futures::{StreamExt, TryStreamExt, stream};
use whatsup::index::{self, Kind, Said, Thing};
use whatsup::search::{Query, find};

use super::{AT_ONCE, add_times, author, micros, net};
use crate::bench::Settings;
use crate::bench::report::{Floor, Report};
use crate::status::status;

const PEOPLE: usize = 10_000;
/// First and last names there are, of which each person has one: a hundred have each last name.
const FIRST: usize = 250;
const LAST: usize = 100;
const WANTED: usize = 20;
const SEARCHES: usize = 200;

/// Indexes them all, and looks for some by both names.
pub(super) async fn measure(
    report: &mut Report,
    http: &[SocketAddr],
    settings: &Settings,
) -> Result<()> {
    let (people, searches) = if settings.quick { (200, 20) } else { (PEOPLE, SEARCHES) };
    let before = entries(http)?;
    let began = Instant::now();
    let indexed = (0..people).map(|n| async move {
        let (author, net) = (author("guest", n)?, net(http, n)?);
        let names = format!("{} {}", first(n), last(n));
        let said = Said { title: &names, texts: &["conference"], stamp: author.stamp([]) };
        let thing = Thing::Person(author.name().clone());
        index::put(&net, &author, &thing, said, Ttl::MAX).await?;
        anyhow::Ok(())
    });
    stream::iter(indexed).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let rate = people as f64 / began.elapsed().as_secs_f64();
    let load: Vec<u64> = entries(http)?.iter().zip(before).map(|(now, was)| now - was).collect();
    let (mut took, mut reads) = (Vec::new(), 0);
    for n in 0..searches {
        let (reader, sought) = (net(http, n)?, n * 37 % people);
        reader.name(&Name::new("guest0")?, None).await?;
        let query = Query::new(&format!("{} {}", first(sought), last(sought)))?;
        let began = Instant::now();
        let found = find(&reader, Kind::People, &query, WANTED, &|_, _| false).await?;
        took.push(micros(began));
        reads = reads.max(found.reads);
        ensure!(found.met > 0, "{query:?} was met by nobody");
    }
    let what = format!("two words among {people} people");
    add_times(report, &what, &mut took, Floor::AtMost(10.0), Floor::None);
    report.add("gets of such a search, at most", reads as f64, "", Floor::AtMost(6.0));
    report.add("people put into the index", rate, "/s", Floor::None);
    let mean = load.iter().sum::<u64>() as f64 / load.len() as f64;
    let most = load.iter().max().copied().unwrap_or(0) as f64;
    report.add(
        "most of the index at one super-node ÷ the mean",
        most / mean,
        "×",
        Floor::AtMost(3.0),
    );
    Ok(())
}

fn entries(http: &[SocketAddr]) -> Result<Vec<u64>> {
    http.iter().map(|node| Ok(status(*node)?.entries)).collect()
}

/// A name that only its number has.
fn called(number: usize) -> String {
    const PARTS: [&str; 16] = [
        "al", "be", "cor", "da", "el", "fi", "gu", "ho", "in", "jo", "ka", "lu", "mo", "ni", "ol",
        "pe",
    ];
    let part = |at: usize| PARTS[at % PARTS.len()];
    format!("{}{}{}", part(number), part(number / 16 + 5), part(number * 3 + 1))
}

fn first(number: usize) -> String {
    called(number % FIRST)
}

fn last(number: usize) -> String {
    format!("{}son", called(number / 7 % LAST))
}
