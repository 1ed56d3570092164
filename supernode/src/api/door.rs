//! The JSON door's asks, done over this node: each by itself, whatever batch it came in.

use std::cmp::Reverse;
use std::time::Duration;

use base::limits::{LIST_ROOM, LIST_VALUE_MAX, VALUE_MAX};
use base::{Key, Lifetime};
use dht::{PageRequest, Removal};
use p2psip::location::{Aor, Bound, LocationService};
use whatsup::door::{
    Answer, Base64, Claiming, Contact, Found, Kind, Looked, Page, Put, Refusal, Removed,
};
use whatsup::overlay::{Ask, Get};

use super::refusals::{of_dht, of_fault, of_location, of_names, of_services};
use crate::location;
use crate::names;
use crate::source::Source;
use crate::state::AppState;

/// Bytes of values that a read takes at first: all there is under most keys.
const FIRST_BYTES: usize = 32 * 1024;
/// Bytes of values that it takes then, if there is more: a full key of a list.
const PAGE_BYTES: usize = LIST_ROOM * LIST_VALUE_MAX;
/// Most places of one person that are told: a phone rings at ten.
const CONTACTS_MAX: usize = 64;

/// Does what a source asks. `memory` lends it what its values take for as long as it reads them.
///
/// # Errors
/// What was not done, and why.
pub async fn perform<M>(
    state: &AppState,
    source: Source,
    ask: Ask,
    memory: impl Fn(usize) -> Result<M, Refusal>,
) -> Result<Answer, Refusal> {
    match ask {
        Ask::Get(get) => Ok(Answer::Page(page_of(page(state, get, memory).await?))),
        Ask::Put { key, value, tag, ttl, room } => {
            may_be_asked(&key)?;
            charge(state, source, &key, &value, ttl.into())?;
            let put = match room_of(state, &key, room) {
                None => state.dht.put(&key, value, tag, ttl).await,
                Some(room) => state.dht.put_within(&key, value, tag, ttl, room).await,
            };
            stored(put)
        }
        Ask::PutSigned { key, signed, room } => {
            may_be_asked(&key)?;
            charge(state, source, &key, &signed.to_value(), signed.life())?;
            let put = match room_of(state, &key, room) {
                None => state.dht.put_signed(&key, signed).await,
                Some(room) => state.dht.put_signed_within(&key, signed, room).await,
            };
            stored(put)
        }
        Ask::Remove { key, value, secret } => {
            may_be_asked(&key)?;
            state.quota.remove(source).map_err(|over| of_fault(over.into()))?;
            match state.dht.remove(&key, &value, secret).await.map_err(of_dht)? {
                Removal::Removed => Ok(Answer::Removed(Removed { found: true })),
                Removal::NotFound => Ok(Answer::Removed(Removed { found: false })),
                Removal::WrongSecret => {
                    let text = "the value is there, but was put with another secret, or with none";
                    Err(Refusal::new(Kind::WrongSecret, text))
                }
            }
        }
        Ask::Name { name, asker } => {
            let looked = names::look_up(&state.dht, name, asker).await.map_err(of_names)?;
            Ok(Answer::Name(looked_up(&looked)))
        }
        Ask::Claim { name, signed } => {
            let allowed = (&*state.quota, source);
            let signed = signed.as_bytes().clone();
            let put = names::put_claim(&state.dht, allowed, &name, signed).await;
            Ok(Answer::Put(Put { replicas: put.map_err(of_names)? }))
        }
        Ask::Locate { user } => locate(state, &user).await.map(Answer::Located),
        Ask::Services => {
            let services = state.services.services().await.map_err(of_services)?;
            Ok(Answer::Services(services.iter().map(ToString::to_string).collect()))
        }
        Ask::Lookup { service } => {
            let service = base::ServiceId::new(&service);
            let service = service.map_err(|error| of_services(error.into()))?;
            let found = state.services.lookup(&service, LIST_ROOM, None).await;
            let contacts = found.map_err(of_services)?.contacts;
            Ok(Answer::Providers(contacts.iter().map(ToString::to_string).collect()))
        }
    }
}

/// Reads a page: of what is there as much as there is memory for, and one value in any case.
async fn page<M>(
    state: &AppState,
    get: Get,
    memory: impl Fn(usize) -> Result<M, Refusal>,
) -> Result<dht::Page, Refusal> {
    may_be_asked(&get.key)?;
    let _held = memory(FIRST_BYTES.min(get.max.saturating_mul(VALUE_MAX)))?;
    let mut page = read(state, &get, FIRST_BYTES).await?;
    let left = get.max.saturating_sub(page.values.len());
    if page.next.is_none() || left == 0 {
        return Ok(page);
    }
    // Little memory has to do for most; whoever reads a full key takes more. Without it this is a page, too.
    if let Ok(_held) = memory(PAGE_BYTES) {
        let rest = Get { after: page.next, max: left, ..get };
        if let Ok(rest) = read(state, &rest, PAGE_BYTES).await {
            page.values.extend(rest.values);
            page.next = rest.next;
        }
    }
    Ok(page)
}

async fn read(state: &AppState, get: &Get, max_bytes: usize) -> Result<dht::Page, Refusal> {
    let request = PageRequest { after: get.after, max_values: get.max, max_bytes };
    let page = match get.from_one {
        true => state.dht.get_from_one(&get.key, request).await,
        false => state.dht.get(&get.key, request).await,
    };
    page.map_err(of_dht)
}

fn page_of(page: dht::Page) -> Page {
    Page {
        values: page.values.into_iter().map(found_of).collect(),
        next: page.next.map(|next| Base64::copy(&next.to_bytes())),
    }
}

/// A value, as JSON has it.
pub fn found_of(found: dht::Found) -> Found {
    Found {
        id: Base64::copy(&found.id.to_bytes()),
        value: Base64(found.value.into_bytes()),
        remaining_ms: found.remaining.as_millis(),
    }
}

/// Refuses keys that are not for everybody: where people are is theirs to know who look for them, and
/// super-nodes' to say.
///
/// # Errors
/// For such a key.
pub fn may_be_asked(key: &Key) -> Result<(), Refusal> {
    match key.service() {
        Some(service) if service.as_str() == location::SERVICE => Err(Refusal::bad(
            "service may not be P2PSIP: its keys are the super-nodes' own; ask where somebody is by locate",
        )),
        _ => Ok(()),
    }
}

fn charge(
    state: &AppState,
    source: Source,
    key: &Key,
    value: &base::Value,
    life: Lifetime,
) -> Result<(), Refusal> {
    state.quota.put(source, key, value, life).map_err(|over| of_fault(over.into()))
}

/// How many values a key may have, if that is bounded: a service's own key has room for as many as one key of
/// a list has.
fn room_of(state: &AppState, key: &Key, room: Option<usize>) -> Option<usize> {
    match state.services.is_registry_key(key) {
        true => Some(room.map_or(LIST_ROOM, |room| room.min(LIST_ROOM))),
        false => room,
    }
}

fn stored(put: Result<dht::Receipt, dht::DhtError>) -> Result<Answer, Refusal> {
    Ok(Answer::Put(Put { replicas: put.map_err(of_dht)?.replicas }))
}

/// Who has a name, as JSON has it.
pub fn looked_up(looked: &names::Looked) -> Looked {
    Looked {
        name: looked.name.to_string(),
        holder: looked.status.holder.as_ref().map(claiming),
        others: looked.status.others.iter().map(claiming).collect(),
        next: looked.next.map(|next| next.number()),
    }
}

fn claiming(claimant: &dht::Claimant) -> Claiming {
    Claiming {
        name: claimant.claim.name.to_string(),
        tagged: claimant.tagged(),
        key: claimant.key.to_string(),
        fingerprint: claimant.key.fingerprint().to_string(),
        held_s: claimant.held.as_secs(),
        signed: Base64(claimant.signed.as_bytes().clone()),
    }
}

/// Where somebody is registered, by one get.
async fn locate(state: &AppState, user: &str) -> Result<Vec<Contact>, Refusal> {
    let aor = Aor::of_user(user).map_err(|error| Refusal::bad(format!("user: {error}")))?;
    let known = state.sip.locations().lookup(&aor).await.map_err(of_location)?;
    Ok(in_order(known.bound, &aor))
}

/// The first choice first: what the registrant prefers, then what was said last.
fn in_order(mut bound: Vec<Bound>, aor: &Aor) -> Vec<Contact> {
    bound.sort_by(|one, other| {
        let rank = |bound: &Bound| (Reverse(bound.binding.q), Reverse(bound.version));
        rank(one).cmp(&rank(other)).then_with(|| one.binding.contact.cmp(&other.binding.contact))
    });
    let contact = |bound: Bound| Contact {
        uri: match bound.binding.direct {
            true => bound.binding.contact.clone().into(),
            // Its own address is of no use to others; the super-node that holds its flow reaches it.
            false => format!("sip:{}@{}", aor.to_user_part(), bound.binding.owner),
        },
        q: bound.binding.q,
        direct: bound.binding.direct,
        remaining_ms: whole_ms(bound.remaining),
    };
    bound.into_iter().take(CONTACTS_MAX).map(contact).collect()
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use p2psip::location::{Binding, Media};

    use super::*;

    fn bound(contact: &str, q: u16, direct: bool, version: u64) -> Bound {
        let binding = Binding {
            contact: contact.into(),
            instance: None,
            reg_id: None,
            q,
            owner: ([192, 0, 2, 1], 5060).into(),
            token: "t".into(),
            direct,
            path: "".into(),
            media: Media::Plain,
        };
        Bound { binding: binding.into(), version, remaining: Duration::from_micros(60_000_900) }
    }

    #[test]
    fn the_preferred_contact_is_first_and_what_only_its_super_node_reaches_is_called_there() {
        let aor = Aor::of_user("Änne#1").unwrap();
        let all = vec![
            bound("sip:a@192.0.2.7", 500, true, 3),
            bound("sip:a@10.0.0.9;transport=ws", 1000, false, 1),
            bound("sip:a@192.0.2.8", 500, true, 4),
        ];
        let told: Vec<_> = in_order(all, &aor)
            .into_iter()
            .map(|contact| (contact.uri, contact.q, contact.direct, contact.remaining_ms))
            .collect();
        let expected = [
            ("sip:%C3%A4nne%231@192.0.2.1:5060", 1000, false),
            ("sip:a@192.0.2.8", 500, true),
            ("sip:a@192.0.2.7", 500, true),
        ];
        assert_eq!(told, expected.map(|(uri, q, direct)| (uri.to_owned(), q, direct, 60_000)));
    }
}
