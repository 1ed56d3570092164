//! What a request has to be before anybody does something with it, and what those get whose request is
//! not (RFC 3261 §8.2, §16.3; the advice of RFC 4475).
//!
//! [`validate`] is for every element. What depends on what an element can do, is
//! [`check_as_proxy`]'s and [`check_as_server`]'s.

use super::grammar::Malformed;
use super::{BadField, Defect, HeaderName, Message, Method, Status, Via};

/// What to answer to a request that is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Rejection {
    /// The status.
    pub status: Status,
    /// The reason phrase: what is wrong, never the value that is.
    pub reason: String,
    /// A header that says what would have been right, with its value.
    pub header: Option<(HeaderName, String)>,
}

/// What to do with a message that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Say nothing: it is a response or an ACK, or says nowhere whom to answer.
    #[error("it is dropped: {0}")]
    Drop(Rejection),
    /// Answer the request.
    #[error("it is answered: {0}")]
    Answer(Rejection),
}

/// What an element can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities<'a> {
    /// Methods it serves.
    pub methods: &'a [Method<'a>],
    /// Extensions it knows, as option tags.
    pub options: &'a [&'a str],
    /// Media types it reads and writes.
    pub media: &'a [&'a str],
}

impl Rejection {
    /// One with the status's own reason.
    pub fn new(status: Status) -> Rejection {
        Rejection { status, reason: status.reason().to_owned(), header: None }
    }

    /// One with a reason that says more.
    pub fn with_reason(status: Status, reason: impl Into<String>) -> Rejection {
        Rejection { status, reason: reason.into(), header: None }
    }

    fn with_header(status: Status, header: HeaderName, value: String) -> Rejection {
        Rejection { header: Some((header, value)), ..Rejection::new(status) }
    }
}

impl From<BadField> for Rejection {
    fn from(bad: BadField) -> Rejection {
        let reason = match bad {
            BadField::Missing(name) => format!("Missing {name}"),
            BadField::Repeated(name) => format!("More Than One {name}"),
            BadField::Malformed(name, _) => format!("Malformed {name}"),
        };
        Rejection::with_reason(Status::BAD_REQUEST, reason)
    }
}

impl From<Defect> for Rejection {
    fn from(defect: Defect) -> Rejection {
        Rejection::with_reason(Status::BAD_REQUEST, defect.to_string())
    }
}

/// Looks at the form of a message.
///
/// # Errors
/// [`Invalid`], saying what to do with it instead.
pub fn validate(message: &Message) -> Result<(), Invalid> {
    let answerable = message.is_request()
        && message.method() != Some(Method::Ack)
        && top_via_value(message).is_some_and(|value| Via::split(value).is_ok());
    form(message).map_err(|rejection| match answerable {
        true => Invalid::Answer(rejection),
        false => Invalid::Drop(rejection),
    })
}

fn top_via_value(message: &Message) -> Option<&[u8]> {
    message.values(HeaderName::Via).next()?.ok()
}

fn form(message: &Message) -> Result<(), Rejection> {
    if !message.is_of_known_version() {
        return Err(Rejection::new(Status::VERSION_NOT_SUPPORTED));
    }
    if let Some(defect) = message.defect() {
        return Err(defect.into());
    }
    message.top_via()?;
    message.from()?;
    message.to()?;
    message.call_id()?;
    let cseq = message.cseq()?;
    let Some(method) = message.method() else { return Ok(()) };
    if cseq.method != method {
        return Err(Rejection::with_reason(Status::BAD_REQUEST, "CSeq Of Another Method"));
    }
    message.max_forwards()?;
    message.expires()?;
    message.content_type()?;
    for contact in message.contacts() {
        contact?;
    }
    for route in message.routes() {
        route?;
    }
    request_uri(message).map_err(|Malformed(_)| {
        Rejection::with_reason(Status::BAD_REQUEST, "Malformed Request-URI")
    })
}

fn request_uri(message: &Message) -> Result<(), Malformed> {
    let uri = message.request_uri()?;
    // Headers have no place there (RFC 3261 §19.1.1, table 1): who would take them for true?
    if uri.headers().is_some() { Err(Malformed("the Request-URI has headers")) } else { Ok(()) }
}

/// Whether a proxy may pass a request on (RFC 3261 §16.3, steps 2, 3 and 5), which [`validate`] has
/// found in form.
///
/// # Errors
/// [`Rejection`], the answer: 416, 483 or 420.
pub fn check_as_proxy(request: &Message, abilities: &Abilities<'_>) -> Result<(), Rejection> {
    known_scheme(request)?;
    if request.max_forwards()? == Some(0) {
        return Err(Rejection::new(Status::TOO_MANY_HOPS));
    }
    known_options(request.proxy_require(), abilities)
}

/// Whether a user agent's server, or a registrar, may serve a request (RFC 3261 §8.2.1–§8.2.3), which
/// [`validate`] has found in form.
///
/// # Errors
/// [`Rejection`], the answer: 405 or 501, 416, 420, 415 or 406.
pub fn check_as_server(request: &Message, abilities: &Abilities<'_>) -> Result<(), Rejection> {
    let Some(method) = request.method() else { return Ok(()) };
    if !abilities.methods.contains(&method) {
        let allowed: Vec<_> = abilities.methods.iter().map(|method| method.as_str()).collect();
        let status = match method {
            Method::Other(_) => Status::NOT_IMPLEMENTED,
            _ => Status::METHOD_NOT_ALLOWED,
        };
        return Err(Rejection::with_header(status, HeaderName::Allow, allowed.join(", ")));
    }
    known_scheme(request)?;
    // Neither can do without what the INVITE they belong to required (§8.2.2.3).
    if !matches!(method, Method::Cancel | Method::Ack) {
        known_options(request.require(), abilities)?;
    }
    let media = || abilities.media.join(", ");
    let content = request.content_type()?.map(essence);
    if !request.body().is_empty()
        && !content
            .is_some_and(|c| abilities.media.iter().any(|known| known.eq_ignore_ascii_case(c)))
    {
        let status = Status::UNSUPPORTED_MEDIA_TYPE;
        return Err(Rejection::with_header(status, HeaderName::Accept, media()));
    }
    if method == Method::Invite && !is_acceptable(request, abilities) {
        return Err(Rejection::new(Status::NOT_ACCEPTABLE));
    }
    Ok(())
}

fn known_scheme(request: &Message) -> Result<(), Rejection> {
    match request.request_uri() {
        Ok(uri) if uri.is_sip() => Ok(()),
        Ok(_) => Err(Rejection::new(Status::UNSUPPORTED_URI_SCHEME)),
        Err(_) => Err(Rejection::with_reason(Status::BAD_REQUEST, "Malformed Request-URI")),
    }
}

fn known_options<'a>(
    required: impl Iterator<Item = Result<&'a str, BadField>>,
    abilities: &Abilities<'_>,
) -> Result<(), Rejection> {
    let mut unknown = Vec::new();
    for option in required {
        let option = option?;
        if !abilities.options.iter().any(|known| known.eq_ignore_ascii_case(option)) {
            unknown.push(option);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let status = Status::BAD_EXTENSION;
    Err(Rejection::with_header(status, HeaderName::Unsupported, unknown.join(", ")))
}

/// A media type without its parameters.
fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

/// Whether the sender takes anything this element writes. One that says nothing takes SDP.
fn is_acceptable(request: &Message, abilities: &Abilities<'_>) -> bool {
    if request.fields_of(HeaderName::Accept).next().is_none() {
        return true;
    }
    request.accept().flatten().map(essence).any(|range| match range.split_once('/') {
        Some(("*", _)) => true,
        Some((kind, "*")) => abilities.media.iter().any(|media| {
            media.split('/').next().is_some_and(|known| known.eq_ignore_ascii_case(kind))
        }),
        _ => abilities.media.iter().any(|media| media.eq_ignore_ascii_case(range)),
    })
}

#[cfg(test)]
mod tests;
