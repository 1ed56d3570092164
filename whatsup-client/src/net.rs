//! [`Net`]: the overlay as the social model uses it. What authors signed comes out verified, or not at all.

use std::sync::Arc;
use std::time::Duration;

use base::{
    EntryId, Key, Name, Place, PublicKey, Sequence, SignatureCache, Signed, Slot, Ttl, Verified,
};
use prost::Message;

use crate::author::Author;
use crate::overlay::{
    Answer, Ask, BATCH_MAX, Changed, Contact, Found, Get, NameState, Overlay, OverlayError, Page,
    Watched,
};
use crate::record::Record;

/// How often a sequence is raised above one that another device of the author used meanwhile.
pub(crate) const SEQUENCE_TRIES: usize = 8;

/// A handle on the overlay. Cloning is cheap.
#[derive(Clone)]
pub struct Net {
    overlay: Arc<dyn Overlay>,
    pub(crate) signatures: Arc<SignatureCache>,
}

impl Net {
    /// Over this overlay.
    pub fn new(overlay: impl Overlay + 'static) -> Net {
        Net { overlay: Arc::new(overlay), signatures: Arc::default() }
    }

    /// Does all of it, at once and in no order, in batches of at most [`BATCH_MAX`].
    pub async fn run(&self, asks: Vec<Ask>) -> Vec<Result<Answer, OverlayError>> {
        if asks.len() <= BATCH_MAX {
            return self.overlay.run(asks).await;
        }
        let mut answers = Vec::with_capacity(asks.len());
        let mut rest = asks.into_iter();
        loop {
            let batch: Vec<Ask> = rest.by_ref().take(BATCH_MAX).collect();
            if batch.is_empty() {
                return answers;
            }
            answers.extend(self.overlay.run(batch).await);
        }
    }

    /// Does one thing.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn one(&self, ask: Ask) -> Result<Answer, OverlayError> {
        let mut answers = self.overlay.run(vec![ask]).await;
        answers.pop().unwrap_or_else(|| Err(unexpected()))
    }

    /// Lists values, as nobody verified them.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn get(&self, get: Get) -> Result<Page, OverlayError> {
        page(self.one(Ask::Get(get)).await)
    }

    /// Everything authors said under each of these keys, in the keys' order: all reads are made at once.
    /// A key that could not be read is an error of its own.
    pub async fn records<T: Message + Default>(
        &self,
        keys: Vec<Key>,
    ) -> Vec<Result<Vec<Record<T>>, OverlayError>> {
        let asks = keys.iter().cloned().map(|key| Ask::Get(Get::all(key))).collect();
        let answers = self.run(asks).await;
        let read = |(key, answer): (Key, _)| Ok(self.read(&key, &page(answer)?.values));
        keys.into_iter().zip(answers).map(read).collect()
    }

    /// What authors said, of values that were found under a key.
    pub fn read<T: Message + Default>(&self, key: &Key, found: &[Found]) -> Vec<Record<T>> {
        let place = key.place();
        let verified = found.iter().filter_map(|found| self.verify(&place, found));
        verified.filter_map(|signed| Record::read(&signed)).collect()
    }

    /// Everything authors said under one key.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn records_of<T: Message + Default>(
        &self,
        key: &Key,
    ) -> Result<Vec<Record<T>>, OverlayError> {
        let mut all = self.records(vec![key.clone()]).await;
        all.pop().unwrap_or_else(|| Err(unexpected()))
    }

    /// What an author says in one slot of a key; nothing if nothing is there.
    ///
    /// # Errors
    /// The overlay's.
    pub(crate) async fn said<T: Message + Default>(
        &self,
        key: &Key,
        author: &PublicKey,
        slot: Slot,
    ) -> Result<Option<Record<T>>, OverlayError> {
        let id = EntryId::of_slot(author, slot);
        let page = self.get(Get::one(key.clone(), id)).await?;
        let there = page.values.iter().find(|found| found.id == id);
        Ok(there.and_then(|found| Record::read(&self.verify(&key.place(), found)?)))
    }

    /// What of a page was signed for this key by whom it says.
    pub fn verified(&self, key: &Key, page: &Page) -> Vec<Verified<Signed>> {
        let place = key.place();
        page.values.iter().filter_map(|found| self.verify(&place, found)).collect()
    }

    /// What was found, if its author signed it for this place and it stands in the author's own slot.
    pub(crate) fn verify(&self, place: &Place, found: &Found) -> Option<Verified<Signed>> {
        let signed = Signed::from_bytes(found.value.clone().into_bytes()).ok()?;
        if signed.is_removal() || signed.id() != found.id {
            return None;
        }
        self.check(signed, place)
    }

    /// This, if its author signed it for this place: wherever it was found.
    pub(crate) fn check(&self, signed: Signed, place: &Place) -> Option<Verified<Signed>> {
        self.signatures.verify(signed, place).ok()
    }

    /// Signs and puts what an author says in a slot of a key, in place of what was said there before.
    ///
    /// # Errors
    /// The overlay's, and [`OverlayError::Refused`] when it is too long.
    pub async fn publish<T: Message>(
        &self,
        author: &Author,
        key: &Key,
        slot: Slot,
        ttl: Ttl,
        body: &T,
    ) -> Result<Sequence, OverlayError> {
        let body = body.encode_to_vec();
        self.publish_at(author, key, slot, Some((ttl, &body)), None).await
    }

    /// Takes back what an author said in a slot of a key.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn retract(
        &self,
        author: &Author,
        key: &Key,
        slot: Slot,
    ) -> Result<Sequence, OverlayError> {
        self.publish_at(author, key, slot, None, None).await
    }

    /// Signs a body, or a removal, and puts it, with a sequence above all before.
    pub(crate) async fn publish_at(
        &self,
        author: &Author,
        key: &Key,
        slot: Slot,
        body: Option<(Ttl, &[u8])>,
        room: Option<usize>,
    ) -> Result<Sequence, OverlayError> {
        let place = key.place();
        let mut least = Sequence::ZERO;
        for _ in 0..SEQUENCE_TRIES {
            let signed = self.sign(author, &place, slot, body, least)?;
            let sequence = signed.sequence();
            match self.one(Ask::PutSigned { key: key.clone(), signed, room }).await {
                Ok(_) => return Ok(sequence),
                Err(OverlayError::Superseded(other)) => least = Sequence::new(other),
                Err(error) => return Err(error),
            }
        }
        Err(OverlayError::Superseded(least.number()))
    }

    /// Signs a body, or a removal, with a sequence above `least`.
    pub(crate) fn sign(
        &self,
        author: &Author,
        place: &Place,
        slot: Slot,
        body: Option<(Ttl, &[u8])>,
        least: Sequence,
    ) -> Result<Signed, OverlayError> {
        let (kind, sequence) = (base::Kind::Plain, author.sequence(least));
        let signed = match body {
            Some((ttl, body)) => Signed::sign(author.key(), place, slot, kind, sequence, ttl, body)
                .map_err(|error| OverlayError::Refused(error.to_string()))?,
            None => Signed::removal(author.key(), place, slot, kind, sequence),
        };
        self.signatures.made(&signed, place);
        Ok(signed)
    }

    /// Who claims a name.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn name(
        &self,
        name: &Name,
        asker: Option<PublicKey>,
    ) -> Result<NameState, OverlayError> {
        match self.one(Ask::Name { name: name.clone(), asker }).await? {
            Answer::Name(state) => Ok(state),
            _ => Err(unexpected()),
        }
    }

    /// Where somebody is registered by SIP, the first choice first: `alice` of `sip:alice@scope`.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn locate(&self, user: &str) -> Result<Vec<Contact>, OverlayError> {
        match self.one(Ask::Locate { user: user.to_owned() }).await? {
            Answer::Contacts(contacts) => Ok(contacts),
            _ => Err(unexpected()),
        }
    }

    /// What [`Ask::Services`] or [`Ask::Lookup`] lists.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn texts(&self, ask: Ask) -> Result<Vec<String>, OverlayError> {
        match self.one(ask).await? {
            Answer::Texts(texts) => Ok(texts),
            _ => Err(unexpected()),
        }
    }

    /// Waits until one of these keys changes: [`Overlay::watch`].
    ///
    /// # Errors
    /// The overlay's.
    pub async fn watch(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> Result<Vec<Watched>, OverlayError> {
        self.overlay.watch(keys, wait).await
    }

    /// The same, with the values of those that changed, where there are few, as nobody verified them:
    /// [`Overlay::watch_values`].
    ///
    /// # Errors
    /// The overlay's.
    pub async fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> Result<Vec<Changed>, OverlayError> {
        self.overlay.watch_values(keys, wait).await
    }

    /// The super-node that is asked first now: [`Overlay::via`].
    pub fn via(&self) -> Option<String> {
        self.overlay.via()
    }
}

/// The page of an answer.
pub(crate) fn page(answer: Result<Answer, OverlayError>) -> Result<Page, OverlayError> {
    match answer? {
        Answer::Page(page) => Ok(page),
        _ => Err(unexpected()),
    }
}

/// What an overlay answers that does not answer what it was asked.
pub(crate) fn unexpected() -> OverlayError {
    OverlayError::Refused("it answers something that was not asked".to_owned())
}
