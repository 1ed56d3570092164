//! [`Following`]: what all whom the person follows shared last, as it was read last of each.

use std::collections::BTreeMap;

use base::Name;

use super::event::Shared;
use crate::community::CommunityError;
use crate::feed::{self, Source};
use crate::keys::CommunityId;
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::post::Post;
use crate::private::{Follow, Kept};
use crate::text;

/// Posts that are shown: what is older is a page of `whatsup feed`.
const POSTS_MAX: usize = 100;

/// What is followed, and what was read of it. Of a person who shares much it is the newest, as her head has
/// it ([`crate::head`]).
#[derive(Default)]
pub(super) struct Following {
    people: BTreeMap<Name, Option<Source<Post>>>,
    communities: BTreeMap<CommunityId, (String, Source<Post>)>,
}

impl Following {
    /// Keeps nothing of what is followed no more.
    pub(super) fn forget(&mut self, kept: &Kept) {
        self.people.retain(|name, _| kept.is_followed(&Follow::Person(name.clone())));
        self.communities.retain(|id, _| kept.is_followed(&Follow::Community(*id)));
    }

    /// Reads some of it anew: all people at once. What could not be read stays as it was; each with why.
    pub(super) async fn read(
        &mut self,
        net: &Net,
        whom: Vec<Follow>,
    ) -> Vec<(Follow, OverlayError)> {
        let mut failed = Vec::new();
        let names = whom.iter().filter_map(|follow| match follow {
            Follow::Person(name) => Some(name.clone()),
            Follow::Community(_) => None,
        });
        let names: Vec<Name> = names.collect();
        let heads = match names.is_empty() {
            true => Vec::new(),
            false => net.posts().heads(&names).await,
        };
        for (name, head) in names.into_iter().zip(heads) {
            match head {
                Ok(head) => {
                    self.people.insert(name, head.map(|(_, source)| source));
                }
                Err(error) => failed.push((Follow::Person(name), error)),
            }
        }
        for follow in whom {
            let Follow::Community(id) = follow else { continue };
            match community(net, id).await {
                Ok(read) => {
                    self.communities.insert(id, read);
                }
                Err(CommunityError::Overlay(error)) => failed.push((follow, error)),
                // It is no more, or none of ours.
                Err(_) => {
                    self.communities.remove(&id);
                }
            }
        }
        failed
    }

    /// The newest of it, without whom the person blocks.
    pub(super) fn newest(&self, kept: &Kept) -> Vec<Shared> {
        let people = self.people.values().flatten();
        let communities = self.communities.values().map(|(_, source)| source);
        let sources: Vec<Source<Post>> = people.chain(communities).cloned().collect();
        let page = feed::feed(&sources, |key| kept.is_blocked(key), None, POSTS_MAX);
        let shared = page.items.into_iter().map(|post| {
            let community = post.community.and_then(|id| self.communities.get(&id));
            let community = community.map(|(title, _)| title.clone());
            Shared { post, community }
        });
        shared.collect()
    }
}

async fn community(net: &Net, id: CommunityId) -> Result<(String, Source<Post>), CommunityError> {
    let community = net.community(id);
    let view = community.view().await?;
    let source = community.source(&view).await?;
    Ok((text::shown(&view.charter.title).into_owned(), source))
}
