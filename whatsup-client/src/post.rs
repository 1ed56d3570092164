//! [`Post`]: one thing that a person shares: a text, a link, a file or an image, or several of these.

use base::{Name, PublicKey, Slot};
use bytes::Bytes;
use prost::Message;

use crate::blob::Blob;
use crate::keys::{self, CommunityId, ThingId};
use crate::link::{self, FILE_NAME_MAX, LinkError};
use crate::list::BODY_MAX;
use crate::stamp::Stamp;
use crate::text::{self, TextError};

/// Longest text, in bytes: what does not fit into the post itself is one chunk of a blob.
pub const TEXT_MAX: usize = 48 * 1024;
/// Longest text that is in the post itself, in bytes, so that sixteen of them make a short head.
pub const INLINE_MAX: usize = 600;
/// Longest media type, in bytes.
pub const MEDIA_MAX: usize = 60;
/// What a file is whose kind nobody said.
pub const ANY_MEDIA: &str = "application/octet-stream";

/// Something shared, as a reader sees it: whoever signed it, all its texts are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What comments and deletions name it by.
    pub id: ThingId,
    /// Who signed it.
    pub author: PublicKey,
    /// The name it is shared under; whoever read it saw that the author has it.
    pub name: Name,
    /// Which of the author's posts it is.
    pub slot: Slot,
    /// When.
    pub stamp: Stamp,
    /// The text, or the beginning of it.
    pub text: String,
    /// Where all of the text is, if it is long.
    pub long: Option<Blob>,
    /// Where it leads.
    pub link: Option<String>,
    /// What is with it.
    pub file: Option<Attachment>,
    /// Where it was shared, if not with everybody.
    pub community: Option<CommunityId>,
}

/// A file or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its bytes.
    pub blob: Blob,
    /// What it is called: the last part of a path, safe to be written.
    pub name: String,
    /// Its media type, as its sharer says.
    pub media: String,
    /// A small JPEG of it.
    pub thumbnail: Option<Blob>,
    /// Width and height, of an image.
    pub pixels: Option<(u32, u32)>,
}

/// What somebody is about to share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// A text, at most [`TEXT_MAX`] bytes.
    pub text: String,
    /// `http` or `https`.
    pub link: Option<String>,
    /// A file, shared already.
    pub file: Option<Attachment>,
    /// Where, if not with everybody.
    pub community: Option<CommunityId>,
}

/// What is wrong with a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Nothing is in it.
    #[error("there is nothing to share; give a text, a link, an image or a file")]
    Empty,
    /// Its text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Its link.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// A post as it is put.
#[derive(Clone, PartialEq, Message)]
pub struct PostBody {
    /// Milliseconds since 1970.
    #[prost(uint64, tag = "1")]
    stamp_ms: u64,
    #[prost(string, tag = "2")]
    text: String,
    #[prost(message, optional, tag = "3")]
    long: Option<BlobBody>,
    #[prost(string, tag = "4")]
    link: String,
    #[prost(message, optional, tag = "5")]
    file: Option<FileBody>,
    #[prost(bytes = "vec", tag = "6")]
    community: Vec<u8>,
}

/// A blob as it is put.
#[derive(Clone, PartialEq, Message)]
pub struct BlobBody {
    #[prost(bytes = "vec", tag = "1")]
    root: Vec<u8>,
    #[prost(uint64, tag = "2")]
    size: u64,
}

/// A file as it is put.
#[derive(Clone, PartialEq, Message)]
pub struct FileBody {
    #[prost(message, required, tag = "1")]
    blob: BlobBody,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    media: String,
    #[prost(message, optional, tag = "4")]
    thumbnail: Option<BlobBody>,
    #[prost(uint32, tag = "5")]
    width: u32,
    #[prost(uint32, tag = "6")]
    height: u32,
}

impl Draft {
    /// What of it is put: the body without a long text, and all of that text if it does not fit. The text's
    /// blob is yet to be shared, and named by [`PostBody::with_long`].
    ///
    /// # Errors
    /// [`DraftError`] says what to change.
    pub fn body(&self, stamp: Stamp) -> Result<(PostBody, Option<Bytes>), DraftError> {
        self.body_within(stamp, BODY_MAX)
    }

    /// The same, in at most so many bytes: where something else is beside it. 100 less than [`BODY_MAX`] are
    /// always enough.
    ///
    /// # Errors
    /// As [`Draft::body`].
    pub fn body_within(
        &self,
        stamp: Stamp,
        max: usize,
    ) -> Result<(PostBody, Option<Bytes>), DraftError> {
        let text = match &*self.text {
            "" => String::new(),
            text => text::lines(text, "text", TEXT_MAX)?,
        };
        let link = self.link.as_deref().map(link::link).transpose()?.unwrap_or_default();
        if text.is_empty() && link.is_empty() && self.file.is_none() {
            return Err(DraftError::Empty);
        }
        let mut body = PostBody {
            stamp_ms: stamp.millis(),
            text: String::new(),
            long: None,
            link,
            file: self.file.as_ref().map(FileBody::from),
            community: self.community.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        };
        // The text with its tag and length.
        let field = |text: &str| if text.is_empty() { 0 } else { text.len() + 3 };
        if text.len() <= INLINE_MAX && body.encoded_len() + field(&text) <= max {
            body.text = text;
            return Ok((body, None));
        }
        let room = max.saturating_sub(body.encoded_len() + BlobBody::LEN_MAX + 3);
        body.text = text::shortened(&text, room.min(INLINE_MAX)).into_owned();
        Ok((body, Some(text.into())))
    }
}

impl PostBody {
    /// When.
    pub fn stamp(&self) -> Stamp {
        Stamp::from_millis(self.stamp_ms)
    }

    /// What it is called in a line: its text, or else its link, or else its file.
    pub fn title(&self) -> &str {
        let file = self.file.as_ref().map(|file| &*file.name);
        let texts = [&*self.text, &*self.link, file.unwrap_or_default()];
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// By what it is found beside its beginning.
    pub fn texts(&self) -> [&str; 2] {
        [&self.text, self.file.as_ref().map(|file| &*file.name).unwrap_or_default()]
    }

    /// With the blob of its long text.
    #[must_use]
    pub fn with_long(self, blob: Blob) -> PostBody {
        PostBody { long: Some(BlobBody::from(&blob)), ..self }
    }

    /// The slot it is put in: the same again does not become a second post.
    pub fn slot(&self) -> Slot {
        slot(&self.encode_to_vec())
    }
}

/// The slot of a post of this encoding: nobody can change what others have answered to.
pub fn slot(body: &[u8]) -> Slot {
    keys::slot_about("post", &[body])
}

impl Post {
    /// What a body says that `author` signed in `slot` of the list of `name`; nothing if there is nothing in
    /// it that can be shown.
    pub fn read(name: &Name, author: PublicKey, slot: Slot, body: &PostBody) -> Option<Post> {
        let post = Post {
            id: ThingId::of(&keys::posts(name), &author, slot),
            author,
            name: name.clone(),
            slot,
            stamp: Stamp::from_millis(body.stamp_ms),
            text: text::shown_lines(&text::shortened(&body.text, BODY_MAX)),
            long: body.long.as_ref().and_then(BlobBody::read),
            link: link::link(&body.link).ok(),
            file: body.file.as_ref().and_then(FileBody::read),
            community: body.community[..].try_into().ok().map(CommunityId::from_bytes),
        };
        let empty = post.text.is_empty() && post.link.is_none() && post.file.is_none();
        (!empty).then_some(post)
    }

    /// All blobs that it needs.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let file = self.file.iter().flat_map(|file| [Some(file.blob), file.thumbnail]);
        self.long.into_iter().chain(file.flatten())
    }
}

impl BlobBody {
    /// Longest encoding with tag and length, in bytes.
    const LEN_MAX: usize = 2 + 34 + 11;

    fn read(&self) -> Option<Blob> {
        let root: [u8; 32] = self.root[..].try_into().ok()?;
        Some(Blob { root: root.into(), size: self.size })
    }
}

impl From<&Blob> for BlobBody {
    fn from(blob: &Blob) -> BlobBody {
        BlobBody { root: blob.root.as_bytes().to_vec(), size: blob.size }
    }
}

impl FileBody {
    fn read(&self) -> Option<Attachment> {
        Some(Attachment {
            blob: self.blob.read()?,
            name: link::file_name(&self.name),
            media: media(&self.media).to_owned(),
            thumbnail: self.thumbnail.as_ref().and_then(BlobBody::read),
            pixels: (self.width > 0 && self.height > 0).then_some((self.width, self.height)),
        })
    }
}

impl From<&Attachment> for FileBody {
    fn from(file: &Attachment) -> FileBody {
        let (width, height) = file.pixels.unwrap_or_default();
        FileBody {
            blob: (&file.blob).into(),
            name: link::file_name(&file.name),
            media: media(&file.media).to_owned(),
            thumbnail: file.thumbnail.as_ref().map(BlobBody::from),
            width,
            height,
        }
    }
}

/// A media type (RFC 6838, section 4.2) without parameters; [`ANY_MEDIA`] in place of what is none.
fn media(given: &str) -> &str {
    let restricted = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let (kind, sub) = given.split_once('/').unwrap_or_default();
    let is_media = given.len() <= MEDIA_MAX && restricted(kind) && restricted(sub);
    if is_media { given } else { ANY_MEDIA }
}

// What is longest beside a text leaves room for the beginning of one.
const _: () = {
    let file = 3 + BlobBody::LEN_MAX * 2 + (2 + FILE_NAME_MAX) + (2 + MEDIA_MAX) + 6 + 6;
    let other = 11 + BlobBody::LEN_MAX + (3 + link::LINK_MAX) + 18;
    assert!(other + file + 3 + 100 + 12 <= BODY_MAX);
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(seed: u8) -> Blob {
        Blob { root: blake3::hash(&[seed]), size: u64::MAX }
    }

    fn name() -> Name {
        Name::new("alice").unwrap()
    }

    fn read(body: &PostBody) -> Option<Post> {
        Post::read(&name(), PublicKey::from_bytes([1; 32]), body.slot(), body)
    }

    fn largest(text: String) -> Draft {
        let link = Some(format!("https://a.example/{}", "x".repeat(link::LINK_MAX - 18)));
        let file = Some(Attachment {
            blob: blob(1),
            name: "n".repeat(FILE_NAME_MAX),
            media: format!("a/{}", "b".repeat(MEDIA_MAX - 2)),
            thumbnail: Some(blob(2)),
            pixels: Some((u32::MAX, u32::MAX)),
        });
        Draft { text, link, file, community: Some(CommunityId::from_bytes([3; 16])) }
    }

    #[test]
    fn a_text_stays_in_the_post_if_it_fits_and_else_begins_there() {
        let draft = Draft { text: "é".repeat(INLINE_MAX / 2), ..Draft::default() };
        let (body, long) = draft.body(Stamp::from_millis(7)).unwrap();
        assert_eq!((long, read(&body).unwrap().text), (None, draft.text));
        let draft = largest("é".repeat(TEXT_MAX / 2));
        let (body, long) = draft.body(Stamp::from_millis(u64::MAX)).unwrap();
        assert_eq!(long.unwrap(), draft.text);
        let body = body.with_long(blob(4));
        assert!(body.encoded_len() <= BODY_MAX && body.encoded_len() > BODY_MAX - 20);
        let post = read(&body).unwrap();
        assert!(post.text.ends_with("é…") && post.text.len() >= 80, "{}", post.text);
        assert_eq!((&post.link, &post.file), (&draft.link, &draft.file));
        assert_eq!(post.long, Some(blob(4)));
        assert_eq!(post.community, draft.community);
        let (body, _) = draft.body_within(Stamp::from_millis(u64::MAX), BODY_MAX - 100).unwrap();
        assert!(body.with_long(blob(4)).encoded_len() <= BODY_MAX - 100);
    }

    #[test]
    fn what_cannot_be_shared_is_said() {
        let draft = |text: &str| Draft { text: text.to_owned(), ..Draft::default() };
        let error = |draft: Draft| draft.body(Stamp::default()).unwrap_err().to_string();
        assert!(error(draft("")).contains("nothing to share"));
        assert!(error(draft("a\u{202e}b")).contains("U+202E"));
        assert!(error(draft(&"x".repeat(TEXT_MAX + 1))).contains("the limit is 49152"));
        let link = Some("javascript:alert(1)".to_owned());
        assert!(error(Draft { link, ..Draft::default() }).contains("only http:// and https://"));
    }

    #[test]
    fn what_others_put_is_made_safe_to_show() {
        let file = FileBody {
            blob: BlobBody::from(&blob(1)),
            name: "../../.bashrc".to_owned(),
            media: "text/html\r\nX: y".to_owned(),
            ..FileBody::default()
        };
        let body = PostBody {
            text: "a\u{1b}[2J".to_owned(),
            link: "javascript:alert(1)".to_owned(),
            file: Some(file),
            community: vec![1; 5],
            ..PostBody::default()
        };
        let post = read(&body).unwrap();
        assert_eq!((&*post.text, post.link), ("a\u{fffd}[2J", None));
        let file = post.file.unwrap();
        assert_eq!((&*file.name, &*file.media), ("bashrc", ANY_MEDIA));
        assert_eq!(post.community, None);
        assert_eq!(read(&PostBody::default()), None);
    }

    proptest! {
        #[test]
        fn any_post_fits_and_reads_back(
            text in "\\PC{0,700}", link in proptest::option::of("https://[a-z]{1,9}/[a-zé]{0,90}"),
            with_file: bool,
        ) {
            let file = largest(String::new()).file.filter(|_| with_file);
            let draft = Draft { text, link, file, community: None };
            if let Ok((mut body, long)) = draft.body(Stamp::from_millis(9)) {
                if long.is_some() {
                    body = body.with_long(blob(9));
                }
                prop_assert!(body.encoded_len() <= BODY_MAX);
                let again = PostBody::decode(&body.encode_to_vec()[..]).unwrap();
                prop_assert_eq!(again.slot(), body.slot());
                prop_assert_eq!(read(&again), read(&body));
            }
        }

        #[test]
        fn any_bytes_are_no_post_or_a_safe_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(body) = PostBody::decode(&bytes[..])
                && let Some(post) = read(&body)
            {
                prop_assert_eq!(text::shown_lines(&post.text), post.text);
            }
        }
    }
}
