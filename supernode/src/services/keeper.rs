//! What runs for the registry: renewing what this node advertises, and looking after which services there
//! are and who offers those it offers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::ServiceId;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{Instrument, debug};

use super::error::ServiceError;
use super::ledger::Turn;
use super::{Inner, views};

/// Renewals and withdrawals under way at a time.
const AT_ONCE: usize = 16;
/// Longest rest of the one that renews: it is woken when something is advertised.
const REST_MAX: Duration = Duration::from_secs(60);
/// And the shortest, should much be due all the time.
const REST_MIN: Duration = Duration::from_millis(100);
/// Services whose members are looked after, of those this node offers: each is a key that is watched.
const MEMBERS_OF_MAX: usize = 64;

/// Starts what runs, in this runtime.
pub(super) fn start(inner: &Arc<Inner>) {
    let mut tasks = inner.tasks();
    let (renewing, looking) = (Arc::clone(inner), Arc::clone(inner));
    tasks.spawn(async move { renew(renewing).await }.in_current_span());
    let list = looking.service_list();
    tasks.spawn(
        async move {
            let dht = looking.dht.clone();
            let publish =
                |found: &[dht::Found]| looking.views().set_services(found, looking.now_ms());
            views::follow(dht, list, publish).await;
        }
        .in_current_span(),
    );
}

/// Ends what runs, and withdraws all.
pub(super) async fn stop(inner: &Arc<Inner>) {
    let running = std::mem::take(&mut *inner.tasks());
    drop(running);
    let all = inner.ledger().withdraw_all();
    let work = all.into_iter().map(|(name, turn, secret)| {
        let inner = Arc::clone(inner);
        (turn, async move { inner.remove(&name, secret).await.map(|_| ()) })
    });
    each(work).await;
}

/// Renews what is due, and sees to it that the members of each own service are looked after.
async fn renew(inner: Arc<Inner>) {
    let mut looking = Looking::default();
    loop {
        let due = inner.ledger().due(inner.now_ms());
        each(due.into_iter().map(|(name, turn)| {
            let inner = Arc::clone(&inner);
            (turn, async move { inner.renew(&name).await })
        }))
        .await;
        looking.follow(&inner);
        let next = inner.ledger().next_due_ms();
        let rest = next.map_or(REST_MAX, |next| {
            Duration::from_millis(next.saturating_sub(inner.now_ms())).clamp(REST_MIN, REST_MAX)
        });
        let _ = timeout(rest, inner.changed.notified()).await;
        // Many that are advertised at once are one reason to look.
        sleep(REST_MIN).await;
    }
}

/// Does each piece of work at its turn, some at a time.
async fn each<W>(work: impl IntoIterator<Item = (Turn, W)>)
where
    W: Future<Output = Result<(), ServiceError>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for (turn, work) in work {
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        under_way.spawn(async move {
            let _turn = turn.lock().await;
            if let Err(error) = work.await {
                debug!(%error, "an advertisement could not be kept, or withdrawn");
            }
        });
    }
    under_way.join_all().await;
}

/// Those who look after members.
#[derive(Default)]
struct Looking {
    tasks: JoinSet<()>,
    of: HashMap<ServiceId, AbortHandle>,
}

impl Looking {
    /// Follows the services that are offered here.
    fn follow(&mut self, inner: &Arc<Inner>) {
        while self.tasks.try_join_next().is_some() {}
        let own = inner.ledger().services();
        self.of.retain(|service, task| {
            let stays = own.contains(service);
            if !stays {
                task.abort();
                inner.views().forget_members(service);
            }
            stays
        });
        for service in own {
            if self.of.len() >= MEMBERS_OF_MAX || self.of.contains_key(&service) {
                continue;
            }
            let (inner, id) = (Arc::clone(inner), service.clone());
            let task = self.tasks.spawn(async move {
                let (dht, list) = (inner.dht.clone(), inner.list_of(&id));
                let publish = |found: &[dht::Found]| {
                    // It may have been withdrawn meanwhile.
                    if inner.ledger().services().contains(&id) {
                        inner.views().set_members(id.clone(), found);
                    }
                };
                views::follow(dht, list, publish).await;
            });
            self.of.insert(service, task);
        }
    }
}
