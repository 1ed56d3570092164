//! `whatsup find`.

use base::{Name, PublicKey};
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use crate::index::{Kind, Shelf};
use crate::net::Net;
use crate::overlay::{Ask, OverlayError};
use crate::private::Kept;
use crate::search::{self, Gathered, Hit, Query};

/// Most that is shown of each kind.
const MAX: u16 = 200;

/// `whatsup find`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Words, or their first three letters or more; in scripts without spaces one character or more. All of
    /// them have to be met
    #[arg(required = true)]
    pub words: Vec<String>,

    /// Find people
    #[arg(long)]
    pub people: bool,
    /// Find what people share
    #[arg(long)]
    pub content: bool,
    /// Find communities
    #[arg(long)]
    pub communities: bool,
    /// Find services
    #[arg(long)]
    pub services: bool,

    /// Show so many of each kind at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX)))]
    pub max: u16,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let query = Query::new(&args.words.join(" "));
    let query = query.map_err(|error| CommandError::Usage(error.to_string()))?;
    let named = [args.people, args.content, args.communities, args.services];
    let wants = |at: usize| named[at] || !named.contains(&true);
    let kept = match context.private() {
        Ok(private) => private.read().await?,
        Err(CommandError::NotLoggedIn) => Kept::default(),
        Err(error) => return Err(error),
    };
    let hidden = |_: &Name, key: &PublicKey| kept.is_blocked(key);
    let max = usize::from(args.max);
    let of_kind = |kind: Kind, at: usize| {
        let (query, hidden) = (&query, &hidden);
        async move {
            if !wants(at) {
                return Ok(Gathered::default());
            }
            search::gather(context.net(), kind, query, max, hidden).await
        }
    };
    let (people, mut content, communities, services) = futures::future::try_join4(
        of_kind(Kind::People, 0),
        of_kind(Kind::Content, 1),
        of_kind(Kind::Communities, 2),
        async {
            if wants(3) { services(context.net(), &query, max).await } else { Ok(Vec::new()) }
        },
    )
    .await?;
    content.hits = crate::community::seen(context.net(), content.hits).await?;
    let json = json!({
        "people": people.hits.iter().map(person).collect::<Vec<_>>(),
        "content": content.hits.iter().map(shared).collect::<Vec<_>>(),
        "communities": communities.hits.iter().map(community).collect::<Vec<_>>(),
        "services": services,
        "complete": people.complete && content.complete && communities.complete,
    });
    let tables = [
        people_table(&people.hits),
        content_table(&content.hits),
        communities_table(&communities.hits),
        services_table(&services),
    ];
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    if tables.is_empty() {
        return Ok(Answer::nothing(json, "nothing is found by these words"));
    }
    let answer = Answer::done(json, tables.join("\n"));
    let all = [people, content, communities];
    Ok(if all.iter().all(|one| one.complete) {
        answer
    } else {
        answer.with_note("there is more; say more words, or --max N")
    })
}

/// The services whose names meet the query: there is one list of all that are offered.
async fn services(net: &Net, query: &Query, max: usize) -> Result<Vec<String>, OverlayError> {
    let mut services = net.texts(Ask::Services).await?;
    services.retain(|service| query.meets(service));
    services.truncate(max);
    Ok(services)
}

fn person(hit: &Hit) -> Json {
    json!({ "name": hit.thing.name().as_str(), "key": hit.author.to_string(), "title": hit.title })
}

fn shared(hit: &Hit) -> Json {
    let id = hit.thing.content_id(&hit.author).map(|id| id.to_string());
    json!({
        "id": id,
        "author": hit.thing.name().as_str(),
        "key": hit.author.to_string(),
        "title": hit.title,
        "stamp_ms": hit.stamp.millis(),
        "community": shelf_of(hit).1,
        "kind": shelf_of(hit).0,
    })
}

fn community(hit: &Hit) -> Json {
    let id = hit.thing.community_id(&hit.author).map(|id| id.to_string());
    json!({ "id": id, "founder": hit.thing.name().as_str(), "key": hit.author.to_string(), "title": hit.title })
}

/// What it is, and in which community.
fn shelf_of(hit: &Hit) -> (&'static str, Option<String>) {
    match hit.thing.shelf() {
        Some(Shelf::News(id)) => ("news", Some(id.to_string())),
        Some(Shelf::Events(id)) => ("event", Some(id.to_string())),
        Some(Shelf::Polls(id)) => ("poll", Some(id.to_string())),
        Some(Shelf::Posts) | None => ("post", None),
    }
}

fn people_table(hits: &[Hit]) -> Option<String> {
    table(hits, ["name", "who"], |hit| vec![hit.thing.name().to_string(), hit.title.clone()])
}

fn content_table(hits: &[Hit]) -> Option<String> {
    table(hits, ["by", "what", "title", "id"], |hit| {
        let id = hit.thing.content_id(&hit.author).map(|id| id.to_string()).unwrap_or_default();
        vec![hit.thing.name().to_string(), shelf_of(hit).0.to_owned(), hit.title.clone(), id]
    })
}

fn communities_table(hits: &[Hit]) -> Option<String> {
    table(hits, ["community", "founder", "id"], |hit| {
        let id = hit.thing.community_id(&hit.author).map(|id| id.to_string()).unwrap_or_default();
        vec![hit.title.clone(), hit.thing.name().to_string(), id]
    })
}

fn services_table(services: &[String]) -> Option<String> {
    table(services, ["service"], |service| vec![service.clone()])
}

fn table<T, const N: usize>(
    rows: &[T],
    heading: [&str; N],
    cells: impl Fn(&T) -> Vec<String>,
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut table = Table::new(heading);
    rows.iter().for_each(|row| table.row(cells(row)));
    Some(table.to_string())
}

#[cfg(test)]
mod tests {
    use base::{Claim, Sequence, SigningKey, Slot, Ttl};

    use super::super::testing::Person;
    use crate::author::Author;
    use crate::index::{self, Said, Shelf, Thing};
    use crate::overlay::Ask;
    use crate::stamp::Stamp;

    async fn claimed(person: &Person, name: &str) -> Author {
        let name = base::Name::new(name).unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        let claim = Claim::new(name.clone(), Sequence::ZERO);
        let signed = claim.sign(&key, Sequence::new(1), Ttl::MAX).unwrap();
        person.net.one(Ask::Claim { name: name.clone(), signed }).await.unwrap();
        Author::new(name, key)
    }

    #[tokio::test]
    async fn people_content_communities_and_services_are_found_each_in_a_table() {
        let person = Person::new();
        let alice = claimed(&person, "alice").await;
        let (name, slot) = (alice.name().clone(), Slot::new([1; 16]));
        let post = Thing::Content { author: name.clone(), shelf: Shelf::Posts, slot };
        let community = Thing::Community { founder: name.clone(), slot };
        for (thing, title) in [
            (Thing::Person(name), "Alice Rustad"),
            (post, "Rust\u{202e} is out"),
            (community, "Rustaceans"),
        ] {
            let said = Said { title, texts: &[], stamp: Stamp::from_millis(5) };
            index::put(&person.net, &alice, &thing, said, Ttl::MAX).await.unwrap();
        }
        person.memory.offer("RUST-PLAY", vec!["192.0.2.1:1".into()]);
        person.memory.offer("PRINTING", vec!["192.0.2.1:1".into()]);
        let found = person.run("find rus").await;
        let tables: Vec<&str> = found.out.split("\n\n").collect();
        assert_eq!(tables[0], "NAME   WHO\nalice  Alice Rustad");
        assert!(tables[1].contains("alice  post  Rust\u{fffd} is out"), "{}", tables[1]);
        assert!(tables[2].contains("Rustaceans  alice"), "{}", tables[2]);
        assert_eq!((tables[3], tables.len()), ("SERVICE\nRUST-PLAY\n", 4));
        let json = person.json("find rust --content").await;
        assert_eq!(
            (json["content"][0]["author"].as_str(), json["people"][0].as_str()),
            (Some("alice"), None)
        );
        assert_eq!(json["complete"], true);
        assert_eq!(person.run("find rust zebra").await.code, 1);
        let none = person.run("find 🎉").await;
        assert!(none.code == 2 && none.err.contains("no word to look for"), "{}", none.err);
    }
}
