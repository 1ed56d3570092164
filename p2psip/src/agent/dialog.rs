//! Dialogs (RFC 3261 §12) as a user agent has them: what tells their requests from others, the order these
//! come in, and how one's own are made.

use crate::message::{
    BadField, HeaderName, Message, Method, Rejection, RequestBuilder, Status, Uri,
};

/// One side of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    call_id: String,
    /// From of one's own requests, with the tag.
    local: String,
    /// To of one's own requests, with the tag.
    remote: String,
    local_tag: String,
    remote_tag: String,
    /// The other side's Contact.
    target: String,
    /// Next hop first.
    routes: Vec<String>,
    local_number: u32,
    remote_number: Option<u32>,
}

impl Dialog {
    /// The callee's side of what a request begins that is answered with this tag (§12.1.1). `flow` is the
    /// Route back on the flow the request came by, if this is the first element it has passed.
    ///
    /// # Errors
    /// [`BadField`], naming what the request lacks.
    pub fn as_callee(
        request: &Message,
        local_tag: &str,
        flow: Option<&str>,
    ) -> Result<Dialog, BadField> {
        let (from, to) = (request.from()?, request.to()?);
        let mut routes = record_routes(request)?;
        if let Some(flow) = flow.filter(|_| routes.is_empty()) {
            routes.push(flow.to_owned());
        }
        Ok(Dialog {
            call_id: request.call_id()?.to_owned(),
            local: format!("<{}>;tag={local_tag}", to.uri()),
            remote: text(request, HeaderName::From),
            local_tag: local_tag.to_owned(),
            remote_tag: from.tag().unwrap_or_default().to_owned(),
            target: contact(request)?,
            routes,
            local_number: 0,
            remote_number: Some(request.cseq()?.number),
        })
    }

    /// The caller's side of what a response to a request begins (§12.1.2).
    ///
    /// # Errors
    /// [`BadField`], naming what the response lacks.
    pub fn as_caller(response: &Message) -> Result<Dialog, BadField> {
        let (from, to) = (response.from()?, response.to()?);
        let mut routes = record_routes(response)?;
        routes.reverse();
        Ok(Dialog {
            call_id: response.call_id()?.to_owned(),
            local: text(response, HeaderName::From),
            remote: text(response, HeaderName::To),
            local_tag: from.tag().unwrap_or_default().to_owned(),
            remote_tag: to.tag().ok_or(BadField::Missing(HeaderName::To))?.to_owned(),
            target: contact(response)?,
            routes,
            local_number: response.cseq()?.number,
            remote_number: None,
        })
    }

    /// Whether a request is one of this dialog's.
    pub fn is_of(&self, request: &Message) -> bool {
        let tag = |side: Result<crate::message::NameAddr<'_>, BadField>, tag: &str| {
            side.is_ok_and(|side| side.tag().unwrap_or_default() == tag)
        };
        request.call_id() == Ok(&self.call_id)
            && tag(request.from(), &self.remote_tag)
            && tag(request.to(), &self.local_tag)
    }

    /// A request of the dialog has come (§12.2.2): its place in their order is looked at, and a new
    /// Contact of what refreshes the target is taken.
    ///
    /// # Errors
    /// [`Rejection`], the answer: 500 for one that was overtaken.
    pub fn on_request(&mut self, request: &Message) -> Result<(), Rejection> {
        let number = request.cseq()?.number;
        let method = request.method().unwrap_or(Method::Other(""));
        if matches!(method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        if self.remote_number.is_some_and(|last| number <= last) {
            let reason = "Overtaken By A Later One";
            return Err(Rejection::with_reason(Status::SERVER_INTERNAL_ERROR, reason));
        }
        self.remote_number = Some(number);
        if matches!(method, Method::Invite | Method::Update)
            && let Ok(new) = contact(request)
        {
            self.target = new;
        }
        Ok(())
    }

    /// The next request of one's own (§12.2.1.1), of which the server adds the Via. An ACK has the number
    /// of the INVITE before it.
    pub fn request(&mut self, method: Method<'_>) -> RequestBuilder {
        if method != Method::Ack {
            self.local_number = self.local_number.wrapping_add(1) & 0x7fff_ffff;
        }
        let first = self.routes.first().map(String::as_str);
        let strict = first.and_then(uri_in).filter(|uri| !uri.is_loose());
        let (uri, routes, last) = match strict {
            // A strict router takes the request for its own (§12.2.1.1).
            Some(first) => (first.as_str(), &self.routes[1..], Some(&self.target)),
            None => (&*self.target, &self.routes[..], None),
        };
        let mut request = RequestBuilder::new(method, uri);
        for route in routes {
            request = request.header(HeaderName::Route, route);
        }
        if let Some(target) = last {
            request = request.header(HeaderName::Route, format_args!("<{target}>"));
        }
        request
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{} {method}", self.local_number))
            .header(HeaderName::MaxForwards, 70)
    }
}

fn uri_in(route: &str) -> Option<Uri<'_>> {
    Uri::parse(route.strip_prefix('<')?.strip_suffix('>')?).ok()
}

fn text(message: &Message, name: HeaderName) -> String {
    let value = message.fields_of(name).next().map_or(&[][..], |field| field.value);
    String::from_utf8_lossy(value).into_owned()
}

fn contact(message: &Message) -> Result<String, BadField> {
    let missing = BadField::Missing(HeaderName::Contact);
    let first = message.contacts().next().unwrap_or(Err(missing))?;
    first.address().map(|address| address.uri().as_str().to_owned()).ok_or(missing)
}

fn record_routes(message: &Message) -> Result<Vec<String>, BadField> {
    message.record_routes().map(|route| Ok(format!("<{}>", route?.uri()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Reply;
    use bytes::Bytes;

    fn invite(routes: &str) -> Message {
        let text = format!(
            "INVITE sip:echo@scope SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKi\r\n{routes}\
             From: \"Anna\" <sip:anna@scope>;tag=f\r\nTo: <sip:echo@scope>\r\nCall-ID: c\r\n\
             CSeq: 7 INVITE\r\nContact: <sip:anna@192.0.2.7:5062>\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn built(request: RequestBuilder) -> Message {
        Message::parse(request.build()).unwrap()
    }

    #[test]
    fn both_sides_make_requests_the_other_knows() {
        let invite = invite("Record-Route: <sip:two;lr>, <sip:one;lr>\r\n");
        let mut callee = Dialog::as_callee(&invite, "t", None).unwrap();
        let answer = Reply::new(&invite, Status::OK).to_tag("t").with_record_routes();
        let answer = answer.header("Contact", "<sip:echo@192.0.2.1>").build();
        let mut caller = Dialog::as_caller(&Message::parse(answer).unwrap()).unwrap();
        let ack = built(caller.request(Method::Ack));
        assert_eq!(ack.cseq().unwrap().number, 7);
        assert_eq!(ack.request_uri().unwrap().as_str(), "sip:echo@192.0.2.1");
        let routes: Vec<_> = ack.routes().map(|r| r.unwrap().uri().as_str().to_owned()).collect();
        assert_eq!(routes, ["sip:one;lr", "sip:two;lr"]);
        assert!(callee.is_of(&ack) && callee.on_request(&ack).is_ok());
        let bye = built(caller.request(Method::Bye));
        assert!(callee.is_of(&bye) && !caller.is_of(&bye));
        assert_eq!(callee.on_request(&bye), Ok(()));
        assert_eq!(callee.on_request(&bye).unwrap_err().status, Status::SERVER_INTERNAL_ERROR);
        let theirs = built(callee.request(Method::Bye));
        assert!(caller.is_of(&theirs));
        assert_eq!(theirs.request_uri().unwrap().as_str(), "sip:anna@192.0.2.7:5062");
        assert_eq!(theirs.routes().next().unwrap().unwrap().uri().as_str(), "sip:two;lr");
        assert_eq!(caller.on_request(&theirs), Ok(()));
    }

    #[test]
    fn a_strict_router_gets_what_it_wants() {
        let mut callee =
            Dialog::as_callee(&invite("Record-Route: <sip:two>, <sip:one;lr>\r\n"), "t", None)
                .unwrap();
        let bye = built(callee.request(Method::Bye));
        assert_eq!(bye.request_uri().unwrap().as_str(), "sip:two");
        let routes: Vec<_> = bye.routes().map(|r| r.unwrap().uri().as_str().to_owned()).collect();
        assert_eq!(routes, ["sip:one;lr", "sip:anna@192.0.2.7:5062"]);
    }

    #[test]
    fn what_makes_no_dialog_is_named() {
        let text = "INVITE sip:e@scope SIP/2.0\r\nFrom: <sip:a@scope>;tag=f\r\n\
            To: <sip:e@scope>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
        let request = Message::parse(Bytes::from_static(text.as_bytes())).unwrap();
        let missing = BadField::Missing(HeaderName::Contact);
        assert_eq!(Dialog::as_callee(&request, "t", None), Err(missing));
    }

    #[test]
    fn who_is_near_is_reached_by_the_flow_the_call_came_by() {
        let mut callee = Dialog::as_callee(&invite(""), "t", Some("<sip:token@us;lr>")).unwrap();
        let bye = built(callee.request(Method::Bye));
        assert_eq!(bye.routes().next().unwrap().unwrap().uri().as_str(), "sip:token@us;lr");
        let far = invite("Record-Route: <sip:one;lr>\r\n");
        let mut callee = Dialog::as_callee(&far, "t", Some("<sip:token@us;lr>")).unwrap();
        assert_eq!(built(callee.request(Method::Bye)).routes().count(), 1);
    }
}
