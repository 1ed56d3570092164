//! What a person has in the overlay, part by part: to be renewed before it ends, and to be removed when the
//! person wants to leave nothing. Each noun adds its part to [`PARTS`].

use base::Ttl;
use futures::future::BoxFuture;

use crate::author::Author;
use crate::blob::BlobError;
use crate::claiming;
use crate::community;
use crate::here;
use crate::index;
use crate::keys::CommunityId;
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::posts::PostError;
use crate::private::{Device, Follow, Private, PrivateError};
use crate::profile;

/// Some of what a person has in the overlay.
pub struct Part {
    /// What it is, in the plural if it may be several.
    pub what: &'static str,
    /// Writes anew what would end in less than half its life.
    pub renew: for<'a> fn(&'a Owner) -> BoxFuture<'a, Result<(), OverlayError>>,
    /// Removes all of it: how much it was.
    pub remove: for<'a> fn(&'a Owner) -> BoxFuture<'a, Result<usize, OverlayError>>,
}

/// Whose it is, and where.
#[derive(Clone)]
pub struct Owner {
    /// The overlay.
    pub net: Net,
    /// Who.
    pub author: Author,
    /// At which device.
    pub device: Device,
}

/// All parts, in the order they are removed: the name goes last, so that whoever was stopped on the way still
/// has it and can go on.
pub const PARTS: &[Part] = &[
    // Before the private lists, which say where they are.
    Part {
        what: "memberships and what was said in communities",
        renew: |owner| {
            Box::pin(async {
                let followed = owner.communities().await?;
                community::keep_all(&owner.net, &owner.author, followed).await
            })
        },
        remove: |owner| {
            Box::pin(async {
                let followed = owner.communities().await?;
                community::leave_all(&owner.net, &owner.author, followed).await
            })
        },
    },
    Part {
        what: "entries of the index",
        // Renewed with what they name.
        renew: |_| Box::pin(std::future::ready(Ok(()))),
        remove: |owner| Box::pin(index::remove_all(&owner.net, &owner.author)),
    },
    Part {
        what: "posts",
        renew: |owner| {
            Box::pin(async {
                owner.net.posts().renew(&owner.author).await.map_err(overlays)?;
                Ok(())
            })
        },
        remove: |owner| {
            Box::pin(async { owner.net.posts().clear(&owner.author).await.map_err(overlays) })
        },
    },
    Part {
        what: "sessions",
        // Whoever is here says so again.
        renew: |_| Box::pin(std::future::ready(Ok(()))),
        remove: |owner| Box::pin(here::remove_all(&owner.net, &owner.author)),
    },
    Part {
        what: "private lists",
        renew: |owner| {
            let private = owner.private();
            Box::pin(async move {
                match private.renew().await {
                    Err(PrivateError::Overlay(error)) => Err(error),
                    // What is full was so when it was written.
                    Ok(()) | Err(PrivateError::Full(_)) => Ok(()),
                }
            })
        },
        remove: |owner| Box::pin(Private::remove_all(&owner.net, &owner.author)),
    },
    Part {
        what: "profile",
        renew: |owner| Box::pin(profile::renew(&owner.net, &owner.author)),
        remove: |owner| {
            Box::pin(async { Ok(profile::delete(&owner.net, &owner.author).await?.into()) })
        },
    },
    Part {
        what: "name",
        renew: |owner| {
            Box::pin(async {
                claiming::claim(&owner.net, &owner.author, Ttl::MAX).await?;
                Ok(())
            })
        },
        remove: |owner| {
            Box::pin(async { Ok(claiming::withdraw(&owner.net, &owner.author).await?.into()) })
        },
    },
];

impl Owner {
    /// The communities the person follows.
    async fn communities(&self) -> Result<Vec<CommunityId>, OverlayError> {
        let kept = self.private().read().await?;
        let followed = kept.follows().filter_map(|follow| match follow {
            Follow::Community(id) => Some(id),
            Follow::Person(_) => None,
        });
        Ok(followed.collect())
    }

    /// What the person keeps for herself.
    pub fn private(&self) -> Private {
        Private::new(self.net.clone(), self.author.clone(), self.device)
    }
}

/// Neither renewing nor removing meets anything but the overlay's errors.
fn overlays(error: PostError) -> OverlayError {
    match error {
        PostError::Overlay(error) | PostError::Blob(BlobError::Overlay(error)) => error,
        other => OverlayError::Refused(other.to_string()),
    }
}
