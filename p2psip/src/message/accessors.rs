//! The typed values of a message's headers, each parsed when it is asked for.

use super::contact::seconds;
use super::grammar::{List, number, text};
use super::{CSeq, Contact, Credentials, HeaderName, Malformed, Message, Method, NameAddr, Via};

/// Why a header gives no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    /// It has to be there, and is not.
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// It may be there once, and is there more often.
    #[error("{0} is there more than once")]
    Repeated(HeaderName),
    /// It does not hold what it must.
    #[error("{0} is wrong: {1}")]
    Malformed(HeaderName, Malformed),
}

type Parsed<T> = Result<T, BadField>;
type Reader<'a, T> = fn(&'a [u8]) -> Result<T, Malformed>;

impl Message {
    /// The only value of a header.
    fn only(&self, name: HeaderName) -> Parsed<Option<&[u8]>> {
        let mut fields = self.fields_of(name);
        let first = fields.next().map(|field| field.value);
        if fields.next().is_some() { Err(BadField::Repeated(name)) } else { Ok(first) }
    }

    fn single<'a, T>(&'a self, name: HeaderName, read: Reader<'a, T>) -> Parsed<Option<T>> {
        let value = self.only(name)?.map(read).transpose();
        value.map_err(|wrong| BadField::Malformed(name, wrong))
    }

    fn required<'a, T>(&'a self, name: HeaderName, read: Reader<'a, T>) -> Parsed<T> {
        self.single(name, read)?.ok_or(BadField::Missing(name))
    }

    /// The values of a header that is a list, over all its fields, in their order.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = Parsed<&[u8]>> {
        let elements = self.fields_of(name).flat_map(|field| List::new(field.value));
        elements.map(move |element| element.map_err(|wrong| BadField::Malformed(name, wrong)))
    }

    fn list<'a, T>(
        &'a self,
        name: HeaderName,
        read: Reader<'a, T>,
    ) -> impl Iterator<Item = Parsed<T>> {
        self.values(name)
            .map(move |value| read(value?).map_err(|wrong| BadField::Malformed(name, wrong)))
    }

    /// Of lists that may be empty.
    fn words(&self, name: HeaderName) -> impl Iterator<Item = Parsed<&str>> {
        self.list(name, text).filter(|word| *word != Ok(""))
    }

    /// The Vias, the last hop's first.
    pub fn vias(&self) -> impl Iterator<Item = Parsed<Via<'_>>> {
        self.list(HeaderName::Via, Via::parse)
    }

    /// The last hop's Via.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn top_via(&self) -> Parsed<Via<'_>> {
        self.vias().next().unwrap_or(Err(BadField::Missing(HeaderName::Via)))
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn from(&self) -> Parsed<NameAddr<'_>> {
        self.required(HeaderName::From, party)
    }

    /// Who is asked.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn to(&self) -> Parsed<NameAddr<'_>> {
        self.required(HeaderName::To, party)
    }

    /// Which call, or which registration, it belongs to.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn call_id(&self) -> Parsed<&str> {
        self.required(HeaderName::CallId, |value| match text(value)? {
            id if id.is_empty() || id.contains(char::is_whitespace) => {
                Err(Malformed("it is empty, or more than one word"))
            }
            id => Ok(id),
        })
    }

    /// Which request of a dialog it is, or answers.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn cseq(&self) -> Parsed<CSeq<'_>> {
        self.required(HeaderName::CSeq, CSeq::parse)
    }

    /// How many more proxies it may pass.
    ///
    /// # Errors
    /// [`BadField`], also for more than 255.
    pub fn max_forwards(&self) -> Parsed<Option<u8>> {
        let wrong = Malformed("it is not a number from 0 to 255");
        // A function, not a closure, would not know `wrong`.
        let value = self.only(HeaderName::MaxForwards)?.map(number);
        let left = value.map(|value| value.and_then(|value| u8::try_from(value).ok()).ok_or(wrong));
        left.transpose().map_err(|wrong| BadField::Malformed(HeaderName::MaxForwards, wrong))
    }

    /// Where to reach who sent it.
    pub fn contacts(&self) -> impl Iterator<Item = Parsed<Contact<'_>>> {
        self.list(HeaderName::Contact, Contact::parse)
    }

    /// The way it has to take, the next hop first.
    pub fn routes(&self) -> impl Iterator<Item = Parsed<NameAddr<'_>>> {
        self.list(HeaderName::Route, NameAddr::parse)
    }

    /// Who wants to stay on the way, the last one first.
    pub fn record_routes(&self) -> impl Iterator<Item = Parsed<NameAddr<'_>>> {
        self.list(HeaderName::RecordRoute, NameAddr::parse)
    }

    /// The way to who registers (RFC 3327), the registrar's neighbour first.
    pub fn path(&self) -> impl Iterator<Item = Parsed<NameAddr<'_>>> {
        self.list(HeaderName::Path, NameAddr::parse)
    }

    /// Who the one that sent it is, as somebody trusted says (RFC 3325).
    pub fn asserted_identities(&self) -> impl Iterator<Item = Parsed<NameAddr<'_>>> {
        self.list(HeaderName::PAssertedIdentity, NameAddr::parse)
    }

    /// For how long, in seconds. Too large a number is the largest; what is no number is
    /// [`EXPIRES_IF_MALFORMED`](super::EXPIRES_IF_MALFORMED).
    ///
    /// # Errors
    /// [`BadField::Repeated`]
    pub fn expires(&self) -> Parsed<Option<u32>> {
        Ok(self.only(HeaderName::Expires)?.map(seconds))
    }

    /// What the sender says the body's length is. [`Message::body`] is already that long.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn content_length(&self) -> Parsed<Option<usize>> {
        self.single(HeaderName::ContentLength, |value| {
            let length = number(value).and_then(|length| usize::try_from(length).ok());
            length.ok_or(Malformed("it is not a number"))
        })
    }

    /// What the body is: type and parameters, as they were written.
    ///
    /// # Errors
    /// [`BadField`]
    pub fn content_type(&self) -> Parsed<Option<&str>> {
        self.single(HeaderName::ContentType, text)
    }

    /// Extensions the one asked must know.
    pub fn require(&self) -> impl Iterator<Item = Parsed<&str>> {
        self.words(HeaderName::Require)
    }

    /// Extensions every proxy must know.
    pub fn proxy_require(&self) -> impl Iterator<Item = Parsed<&str>> {
        self.words(HeaderName::ProxyRequire)
    }

    /// Extensions the sender knows.
    pub fn supported(&self) -> impl Iterator<Item = Parsed<&str>> {
        self.words(HeaderName::Supported)
    }

    /// Whether the sender knows an extension. What cannot be read is none.
    pub fn supports(&self, option: &str) -> bool {
        self.supported().any(|tag| tag.is_ok_and(|tag| tag.eq_ignore_ascii_case(option)))
    }

    /// Media types the sender takes, with their parameters.
    pub fn accept(&self) -> impl Iterator<Item = Parsed<&str>> {
        self.words(HeaderName::Accept)
    }

    /// Methods the sender understands.
    pub fn allow(&self) -> impl Iterator<Item = Parsed<Method<'_>>> {
        self.words(HeaderName::Allow).map(|word| word.map(Method::of))
    }

    /// Credentials for the registrar, or the one asked: one a field.
    pub fn authorization(&self) -> impl Iterator<Item = Parsed<Credentials<'_>>> {
        self.credentials(HeaderName::Authorization)
    }

    /// Credentials for a proxy: one a field.
    pub fn proxy_authorization(&self) -> impl Iterator<Item = Parsed<Credentials<'_>>> {
        self.credentials(HeaderName::ProxyAuthorization)
    }

    /// What a response's `WWW-Authenticate` or `Proxy-Authenticate` asks for: one a field.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Parsed<Credentials<'_>>> {
        self.credentials(name)
    }

    /// Commas are within these values, so that a field is one value (RFC 3261 §7.3.1).
    fn credentials(&self, name: HeaderName) -> impl Iterator<Item = Parsed<Credentials<'_>>> {
        self.fields_of(name).map(move |field| {
            Credentials::parse(field.value).map_err(|wrong| BadField::Malformed(name, wrong))
        })
    }
}

/// One side of a dialog. A tag that says nothing could not be told from none.
fn party(value: &[u8]) -> Result<NameAddr<'_>, Malformed> {
    let address = NameAddr::parse(value)?;
    match address.params().get("tag") {
        Some(tag) if tag.value.is_none_or(str::is_empty) => Err(Malformed("its tag is empty")),
        _ => Ok(address),
    }
}
