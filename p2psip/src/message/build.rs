//! Messages of one's own: responses (RFC 3261 §8.2.6), requests (§8.1.1), the ACK of a failure
//! (§17.1.1.3) and the CANCEL (§9.1) of a request that was sent.

use std::fmt::Display;

use bytes::{BufMut, Bytes, BytesMut};

use super::lines::{line, marked_vias, put, taken};
use super::{BadField, HeaderName, Message, Method, Rejection, Status, VERSION, ViaMark};

/// Room for what every response has: a start line, its length, a mark.
const REPLY_USUAL: usize = 128;
/// Room for a line that is added.
const LINE_USUAL: usize = 128;
/// Room for a request without a body.
const REQUEST_USUAL: usize = 1024;
/// How many proxies a request may pass (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// A response to a request: Vias, From, To, Call-ID and CSeq are the request's.
#[derive(Debug)]
pub struct Reply<'m> {
    request: &'m Message,
    status: Status,
    reason: &'m str,
    tag: Option<&'m str>,
    mark: Option<ViaMark>,
    with_routes: bool,
    lines: BytesMut,
    body: &'m [u8],
}

impl<'m> Reply<'m> {
    /// One with the status's own reason phrase.
    pub fn new(request: &'m Message, status: Status) -> Reply<'m> {
        Reply {
            request,
            status,
            reason: status.reason(),
            tag: None,
            mark: None,
            with_routes: false,
            lines: BytesMut::new(),
            body: &[],
        }
    }

    /// The one that says a rejection.
    pub fn rejecting(request: &'m Message, rejection: &'m Rejection) -> Reply<'m> {
        let reply = Reply::new(request, rejection.status).reason(&rejection.reason);
        match &rejection.header {
            Some((name, value)) => reply.header(name.as_str(), value),
            None => reply,
        }
    }

    /// Another reason phrase.
    pub fn reason(mut self, reason: &'m str) -> Self {
        self.reason = reason;
        self
    }

    /// The tag To gets, if it has none. Every response but 100 needs one (RFC 3261 §8.2.6.2).
    pub fn to_tag(mut self, tag: &'m str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// What the receiver of the request says in its topmost Via.
    pub fn mark_via(mut self, mark: ViaMark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// Repeats the request's Record-Routes, as a response that makes a dialog does (§12.1.1).
    pub fn with_record_routes(mut self) -> Self {
        self.with_routes = true;
        self
    }

    /// Adds a field.
    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        self.lines.reserve(LINE_USUAL);
        line(&mut self.lines, name, value);
        self
    }

    /// The body, and what it is.
    pub fn body(self, media: &str, body: &'m [u8]) -> Self {
        Reply { body, ..self.header(HeaderName::ContentType.as_str(), media) }
    }

    /// The response.
    pub fn build(self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.size());
        put(&mut out, format_args!("{VERSION} {} {}", self.status, self.reason));
        out.put_slice(b"\r\n");
        self.copy(HeaderName::Via, &mut out);
        if self.with_routes {
            self.copy(HeaderName::RecordRoute, &mut out);
        }
        self.copy(HeaderName::From, &mut out);
        self.to(&mut out);
        self.copy(HeaderName::CallId, &mut out);
        self.copy(HeaderName::CSeq, &mut out);
        if self.status == Status::TRYING {
            self.copy(HeaderName::Timestamp, &mut out);
        }
        out.put_slice(&self.lines);
        line(&mut out, HeaderName::ContentLength.as_str(), self.body.len());
        out.put_slice(b"\r\n");
        out.put_slice(self.body);
        out.freeze()
    }

    /// How long it becomes, about. It may be kept for long: room that is not used is memory lost.
    fn size(&self) -> usize {
        use HeaderName::{CSeq, CallId, From, To, Via};
        let entries = self.request.entries.iter();
        let copied = entries.filter(|entry| {
            matches!(entry.name, Via | From | To | CallId | CSeq)
                || (self.with_routes && entry.name == HeaderName::RecordRoute)
        });
        let values =
            copied.map(|e| usize::from(e.value.end - e.value.start) + e.name.as_str().len() + 4);
        let added = self.lines.len() + self.body.len() + self.tag.map_or(0, str::len);
        values.sum::<usize>() + self.reason.len() + added + REPLY_USUAL
    }

    fn copy(&self, name: HeaderName, out: &mut BytesMut) {
        let mut mark = self.mark.filter(|_| name == HeaderName::Via);
        for field in self.request.fields_of(name) {
            let Some(mark) = mark.take() else {
                taken(out, name, field.value);
                continue;
            };
            put(out, format_args!("{name}: "));
            marked_vias(out, field.value, mark);
            out.put_slice(b"\r\n");
        }
    }

    fn to(&self, out: &mut BytesMut) {
        let tag = self.tag.filter(|_| self.request.to().is_ok_and(|to| to.tag().is_none()));
        let Some(tag) = tag else { return self.copy(HeaderName::To, out) };
        for field in self.request.fields_of(HeaderName::To) {
            taken(out, HeaderName::To, field.value);
            out.truncate(out.len() - b"\r\n".len());
            put(out, format_args!(";tag={tag}"));
            out.put_slice(b"\r\n");
        }
    }
}

/// A new request. Fields stand in the order in which they are given; Content-Length comes of itself.
#[derive(Debug)]
pub struct RequestBuilder {
    out: BytesMut,
}

impl RequestBuilder {
    /// One of a method, to a Request-URI.
    pub fn new(method: Method<'_>, uri: impl Display) -> RequestBuilder {
        let mut out = BytesMut::with_capacity(REQUEST_USUAL);
        put(&mut out, format_args!("{method} {uri} {VERSION}"));
        out.put_slice(b"\r\n");
        RequestBuilder { out }
    }

    /// Adds a field.
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Self {
        line(&mut self.out, name.as_str(), value);
        self
    }

    /// Adds a field of a name this crate does not know.
    pub fn other_header(mut self, name: &str, value: impl Display) -> Self {
        line(&mut self.out, name, value);
        self
    }

    /// Adds the fields of a name as another message has them.
    fn copied(mut self, from: &Message, name: HeaderName) -> Self {
        from.fields_of(name).for_each(|field| taken(&mut self.out, name, field.value));
        self
    }

    fn copied_value(mut self, name: HeaderName, value: &[u8]) -> Self {
        taken(&mut self.out, name, value);
        self
    }

    /// The request, without a body.
    pub fn build(self) -> Bytes {
        self.finish(&[])
    }

    /// The request with a body of a media type.
    pub fn build_with_body(self, media: &str, body: &[u8]) -> Bytes {
        self.header(HeaderName::ContentType, media).finish(body)
    }

    fn finish(self, body: &[u8]) -> Bytes {
        let mut out = self.header(HeaderName::ContentLength, body.len()).out;
        out.put_slice(b"\r\n");
        out.put_slice(body);
        out.freeze()
    }
}

/// The ACK a client's transaction sends for a response of 300 to 699 to its INVITE (RFC 3261 §17.1.1.3).
/// `invite` is the request as it was sent.
///
/// # Errors
/// [`BadField`], if one of them lacks what the ACK needs.
pub fn ack_for_failure(invite: &Message, response: &Message) -> Result<Bytes, BadField> {
    response.to()?;
    Ok(of_the_same(invite, Method::Ack, response)?.build())
}

/// The CANCEL of a request that was sent (RFC 3261 §9.1).
///
/// # Errors
/// [`BadField`], if the request lacks what the CANCEL needs.
pub fn cancel_for(request: &Message) -> Result<Bytes, BadField> {
    Ok(of_the_same(request, Method::Cancel, request)?.build())
}

/// A request of the transaction of another one, with the To of `to`.
fn of_the_same(
    request: &Message,
    method: Method<'_>,
    to: &Message,
) -> Result<RequestBuilder, BadField> {
    let missing = BadField::Missing(HeaderName::Via);
    let via = request.values(HeaderName::Via).next().unwrap_or(Err(missing))?;
    let number = request.cseq()?.number;
    let uri = String::from_utf8_lossy(request.request_uri_bytes());
    Ok(RequestBuilder::new(method, uri)
        .copied_value(HeaderName::Via, via)
        .copied(request, HeaderName::Route)
        .header(HeaderName::MaxForwards, MAX_FORWARDS)
        .copied(request, HeaderName::From)
        .copied(to, HeaderName::To)
        .copied(request, HeaderName::CallId)
        .header(HeaderName::CSeq, format_args!("{number} {method}")))
}

#[cfg(test)]
mod tests;
