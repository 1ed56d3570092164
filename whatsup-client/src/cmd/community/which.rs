//! Which community, person or thing somebody means at a command line, and how people are named there.

use std::collections::BTreeMap;

use base::{Name, PublicKey};
use chrono::{DateTime, Local};

use super::super::context::Context;
use super::super::error::CommandError;
use crate::community::{Charter, Community, Members, communities};
use crate::keys::{CommunityId, ThingId};
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::stamp::Stamp;
use crate::text;

/// Most pages of all communities that are looked through for a title: some two thousand.
const PAGES: usize = 8;
/// Fewest digits that stand for an id.
const DIGITS: usize = 4;

/// How people are named: by their names, with a tag behind the name of who does not have it.
pub(in super::super) struct Named(BTreeMap<PublicKey, String>);

impl Named {
    /// Asks whose these names are.
    pub(in super::super) async fn of<'a>(
        net: &Net,
        people: impl IntoIterator<Item = (PublicKey, &'a str)>,
    ) -> Result<Named, CommandError> {
        let people: BTreeMap<PublicKey, &str> = people.into_iter().collect();
        let mut names: Vec<Name> =
            people.values().filter_map(|name| Name::new(name).ok()).collect();
        names.sort();
        names.dedup();
        let mut holders = BTreeMap::new();
        for (name, holder) in names.iter().zip(net.holders(&names).await) {
            holders.insert(name.as_str(), holder?);
        }
        let named = people.into_iter().map(|(key, name)| {
            let is_theirs = holders.get(name).is_some_and(|holder| *holder == Some(key));
            let name = text::shown(text::shortened(name, base::NAME_MAX).as_ref()).into_owned();
            (key, if is_theirs { name } else { format!("{name}~{}", key.fingerprint().tag()) })
        });
        Ok(Named(named.collect()))
    }

    /// How somebody is named.
    pub(in super::super) fn name(&self, key: &PublicKey) -> String {
        let unknown = || format!("~{}", key.fingerprint().tag());
        self.0.get(key).cloned().unwrap_or_else(unknown)
    }
}

/// The community of this id, this beginning of an id, or this title.
pub(in super::super) async fn community(
    which: &str,
    context: &Context<'_>,
) -> Result<Community, CommandError> {
    let net = context.net();
    if let Ok(id) = which.parse::<CommunityId>() {
        return Ok(net.community(id));
    }
    let all = all(net).await?;
    let title = which.to_lowercase();
    let mut meant: Vec<&Charter> =
        all.iter().filter(|charter| charter.title.to_lowercase() == title).collect();
    if meant.is_empty() && is_beginning(which) {
        let begins = |charter: &&Charter| charter.id.to_string().starts_with(&title);
        meant = all.iter().filter(begins).collect();
    }
    match &meant[..] {
        [charter] => Ok(net.community(charter.id)),
        [] => Err(CommandError::Missing(format!("there is no community {:?}", shown(which)))),
        several => {
            let ids: Vec<String> = several.iter().map(|charter| charter.id.to_string()).collect();
            let text =
                format!("{:?} are several; name one by its id: {}", shown(which), ids.join(", "));
            Err(CommandError::Usage(text))
        }
    }
}

/// All communities, as far as they are read, by title.
pub(super) async fn all(net: &Net) -> Result<Vec<Charter>, OverlayError> {
    let mut all = BTreeMap::new();
    let mut from = None;
    for _ in 0..PAGES {
        let (charters, next) = communities(net, from).await?;
        all.extend(charters.into_iter().map(|charter| (charter.id, charter)));
        from = next;
        if from.is_none() {
            break;
        }
    }
    let mut all: Vec<Charter> = all.into_values().collect();
    all.sort_by(|one, two| (&one.title, one.id).cmp(&(&two.title, two.id)));
    Ok(all)
}

/// The member this name, `name~tag` or key means.
pub(super) async fn member(
    who: &str,
    members: &Members,
    net: &Net,
) -> Result<PublicKey, CommandError> {
    if let Ok(key) = who.parse::<PublicKey>() {
        return Ok(key);
    }
    let (name, tag) = who.split_once('~').map_or((who, None), |(name, tag)| (name, Some(tag)));
    let name = Name::new(name)?;
    let of_name = members.iter().filter(|(_, member)| member.name == name.as_str());
    let tagged = of_name
        .map(|(key, _)| *key)
        .filter(|key| tag.is_none_or(|tag| key.fingerprint().tag() == tag));
    match (&tagged.collect::<Vec<_>>()[..], tag) {
        ([one], _) => Ok(*one),
        ([], None) => {
            // Somebody who never joined can be removed, too.
            let holder = net.holders(std::slice::from_ref(&name)).await.pop();
            let holder = holder.transpose()?.flatten();
            holder.ok_or_else(|| CommandError::Missing(format!("nobody there is {name}")))
        }
        ([], Some(_)) => Err(CommandError::Missing(format!("nobody there is {}", shown(who)))),
        (several, _) => {
            let tags = several.iter().map(|key| format!("{name}~{}", key.fingerprint().tag()));
            let tags: Vec<String> = tags.collect();
            let text = format!("{name} are several; name one: {}", tags.join(", "));
            Err(CommandError::Usage(text))
        }
    }
}

/// The thing of this id, or the only one of these whose id begins so.
pub(in super::super) fn thing(
    which: &str,
    all: impl IntoIterator<Item = ThingId>,
) -> Result<ThingId, CommandError> {
    if let Ok(id) = which.parse::<ThingId>() {
        return Ok(id);
    }
    let beginning = which.to_lowercase();
    let begins = |id: &ThingId| is_beginning(which) && id.to_string().starts_with(&beginning);
    let mut meant: Vec<ThingId> = all.into_iter().filter(begins).collect();
    meant.sort();
    meant.dedup();
    match &meant[..] {
        [id] => Ok(*id),
        [] => {
            let text = format!("nothing there has an id that begins with {:?}", shown(which));
            Err(CommandError::Missing(text))
        }
        _ => Err(CommandError::Usage(format!("several ids begin with {which}; write more of it"))),
    }
}

fn is_beginning(text: &str) -> bool {
    text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn shown(typed: &str) -> String {
    text::shown(&text::shortened(typed, 80)).into_owned()
}

/// A stamp by this machine's clock, for people.
pub(in super::super) fn time(stamp: Stamp) -> String {
    let moment = i64::try_from(stamp.millis()).ok().and_then(DateTime::from_timestamp_millis);
    moment.map_or_else(String::new, |moment| {
        moment.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
    })
}
