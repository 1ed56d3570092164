//! What everybody reads, beside the model.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base::Name;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};
use whatsup::index::Kind;
use whatsup::search::{Query, gather};

use super::people::Party;

/// People who read at a time.
const AT_ONCE: usize = 8;
/// How much of a feed is looked at.
const FEED: usize = 100;
/// Words that are searched for: those in the middle of the list, which some posts have.
const WORDS: usize = 40;
/// Most that a word is found in.
const HITS: usize = 400;
/// What is not so at once may be so when repair has done its work.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Compares all of it: what, and whether it is so.
pub(super) async fn all(party: &Party) -> Vec<(String, Result<()>)> {
    let (people, script) = (party.guests.len(), &party.script);
    let communities = script.founders.len();
    vec![
        (
            format!("the feed of each of {people} people is the model's, in its order"),
            each(0..people, |n| feed(party, n)).await,
        ),
        (
            format!("the news of {communities} communities are the model's, read from both halls"),
            each(0..2 * communities, |n| news(party, n / 2, n % 2)).await,
        ),
        (
            format!("the members of {communities} communities are the model's"),
            each(0..2 * communities, |n| members(party, n / 2, n % 2)).await,
        ),
        (
            format!("{} polls count as the model does, read from both halls", script.polls.len()),
            each(0..2 * script.polls.len(), |n| poll(party, n / 2, n % 2)).await,
        ),
        (
            format!("searches for {WORDS} words find the posts the model has"),
            each(0..WORDS, |n| content(party, n)).await,
        ),
        (
            "searches for people by what interests them find those the model has".to_owned(),
            each(0..WORDS, |n| people_with(party, n)).await,
        ),
        ("every picture is there, whole".to_owned(), pictures(party).await),
    ]
}

async fn each<F>(numbers: std::ops::Range<usize>, one: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let tries = numbers.map(|n| {
        let one = &one;
        async move {
            let until = Instant::now() + PATIENCE;
            loop {
                match one(n).await {
                    Err(_) if Instant::now() < until => sleep(PAUSE).await,
                    outcome => return outcome,
                }
            }
        }
    });
    stream::iter(tries).buffer_unordered(AT_ONCE).try_collect().await
}

/// Somebody of a hall.
fn reader(party: &Party, hall: usize) -> Result<usize> {
    let found = party.guests.iter().position(|guest| guest.hall == hall);
    found.context("nobody is in that hall")
}

async fn feed(party: &Party, person: usize) -> Result<()> {
    let guest = &party.guests[person];
    let names: Vec<Name> = party.script.guests[person]
        .follows
        .iter()
        .map(|other| party.guests[*other].author.name().clone())
        .collect();
    let read = guest.net.posts().feed(&names, Vec::new(), |_| false, None, FEED).await;
    if let Some((name, error)) = read.unread.into_iter().next() {
        return Err(anyhow::Error::new(error).context(format!("{name}'s posts")));
    }
    let seen: Vec<&str> = read.page.items.iter().map(|post| &*post.text).collect();
    let expected = party.model().feed(&party.script, person, FEED);
    same(&format!("{}'s feed", guest.author.name()), &seen, &expected)
}

async fn news(party: &Party, number: usize, hall: usize) -> Result<()> {
    let community = party.community(number, reader(party, hall)?)?;
    let view = community.view().await?;
    let news = community.news(&view).await?;
    let texts: Vec<String> =
        news.iter().filter_map(|one| Some(one.post(community.id())?.text)).collect();
    let seen: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = party.model().news(&party.script, number);
    same(&format!("the news of community {number} from hall {hall}"), &seen, &expected)
}

async fn members(party: &Party, number: usize, hall: usize) -> Result<()> {
    let view = party.community(number, reader(party, hall)?)?.view().await?;
    let joined: Vec<bool> =
        party.guests.iter().map(|guest| view.members.has(&guest.author.public())).collect();
    let expected: Vec<bool> =
        party.script.guests.iter().map(|guest| guest.joins.contains(&number)).collect();
    same(&format!("the members of community {number}"), &joined, &expected)
}

async fn poll(party: &Party, number: usize, hall: usize) -> Result<()> {
    let poll = &party.script.polls[number];
    let community = party.community(poll.community, reader(party, hall)?)?;
    let view = community.view().await?;
    let shown = community.poll(&view, party.poll(number)?).await?;
    let standings = community.standings(&view, shown).await?;
    let expected = party.model().counts(&party.script, number);
    same(&format!("poll {number}"), &standings.tally.counts, &expected)
}

/// A word that some use.
fn word(party: &Party, number: usize) -> &str {
    let words = &party.script.words;
    &words[words.len() / 20 + number * 7 % (words.len() - words.len() / 20)]
}

async fn content(party: &Party, number: usize) -> Result<()> {
    let word = word(party, number);
    let net = &party.guests[number % party.guests.len()].net;
    let found = gather(net, Kind::Content, &Query::new(word)?, HITS, &|_, _| false).await?;
    let seen: BTreeSet<&str> = found.hits.iter().map(|hit| &*hit.title).collect();
    let expected = party.model().with_word(&party.script, word);
    same(&format!("what has {word:?}"), &seen, &expected)
}

async fn people_with(party: &Party, number: usize) -> Result<()> {
    let word = word(party, number);
    let net = &party.guests[number % party.guests.len()].net;
    let found = gather(net, Kind::People, &Query::new(word)?, HITS, &|_, _| false).await?;
    let seen: BTreeSet<&str> = found.hits.iter().map(|hit| hit.thing.name().as_str()).collect();
    let has = |guest: &&super::script::Guest| {
        guest.interests.iter().any(|interest| interest == word)
            || guest.company.split(' ').any(|part| part == word)
    };
    let expected: BTreeSet<&str> =
        party.script.guests.iter().filter(has).map(|guest| &*guest.name).collect();
    same(&format!("who likes {word:?}"), &seen, &expected)
}

async fn pictures(party: &Party) -> Result<()> {
    const PICTURE_MAX: u64 = 4 * 1024 * 1024;
    for (n, said) in party.script.said.iter().enumerate().filter(|(_, said)| said.picture) {
        let reader = &party.guests[(said.by + 1) % party.guests.len()];
        let posts = reader.net.posts().of(party.guests[said.by].author.name()).await?.posts;
        let post = posts.into_iter().find(|post| post.text == said.text);
        let file = post.and_then(|post| post.file).with_context(|| format!("post {n}"))?;
        let bytes = reader.net.blobs().bytes(&file.blob, PICTURE_MAX).await?;
        ensure!(whatsup::picture::sniff(&bytes).is_some(), "what is with post {n} is no image");
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<()> {
    ensure!(seen == expected, "{what}: {seen:?} instead of {expected:?}");
    Ok(())
}
