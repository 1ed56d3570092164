//! A person's photo: small enough to be read with a hundred others, made anew so that nothing is in it but what
//! is seen.

use bytes::Bytes;

use super::{Profile, ProfileError, edit};
use crate::author::Author;
use crate::blob::{Blob, BlobError, Source};
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::picture::{PictureError, THUMBNAIL_MAX, picture};

/// Why there is no photo, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The image.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Sharing or fetching it.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl Profile {
    /// Where the photo is, if there is one.
    pub fn portrait(&self) -> Option<Blob> {
        let root = blake3::Hash::from_bytes(self.photo.as_slice().try_into().ok()?);
        let size = u64::from(self.photo_size);
        (1..=THUMBNAIL_MAX as u64).contains(&size).then_some(Blob { root, size })
    }
}

/// Makes an image the author's photo; gives the profile as it is then.
///
/// # Errors
/// [`PhotoError`].
pub async fn set(net: &Net, author: &Author, image: Bytes) -> Result<Profile, PhotoError> {
    let small = Source::Bytes(picture(image).await?.thumbnail);
    let blob = net.blobs().share(author, &small, &|_| {}).await?;
    let mut before = None;
    let profile = edit(net, author, |profile| {
        before = profile.portrait();
        profile.photo = blob.root.as_bytes().to_vec();
        profile.photo_size = u32::try_from(blob.size).unwrap_or(0);
    });
    let profile = profile.await?;
    if let Some(before) = before.filter(|before| *before != blob) {
        take_back(net, author, &before).await.map_err(ProfileError::from)?;
    }
    Ok(profile)
}

/// Takes the author's photo away; gives the profile as it is then.
///
/// # Errors
/// [`ProfileError`].
pub async fn remove(net: &Net, author: &Author) -> Result<Profile, ProfileError> {
    let mut before = None;
    let profile = edit(net, author, |profile| {
        before = profile.portrait();
        profile.photo.clear();
        profile.photo_size = 0;
    });
    let profile = profile.await?;
    if let Some(before) = before {
        take_back(net, author, &before).await?;
    }
    Ok(profile)
}

/// Somebody's photo, a JPEG; nothing if there is none.
///
/// # Errors
/// [`BlobError`].
pub async fn fetch(net: &Net, profile: &Profile) -> Result<Option<Bytes>, BlobError> {
    match profile.portrait() {
        Some(blob) => Ok(Some(net.blobs().bytes(&blob, THUMBNAIL_MAX as u64).await?)),
        None => Ok(None),
    }
}

pub(super) async fn take_back(net: &Net, author: &Author, blob: &Blob) -> Result<(), OverlayError> {
    net.blobs().retract(author, &[blob.root]).await
}
