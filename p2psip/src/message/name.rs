//! Names of headers: those this crate or its users ask for by name have a number, so that finding one
//! compares bytes, not strings.

macro_rules! names {
    ($($variant:ident $text:literal $lower:literal $($compact:literal)?;)*) => {
        /// The name of a header, whichever way it was written.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`.")] $variant,)*
            /// Any other: see [`Field::name`](super::Field::name).
            Other,
        }

        impl HeaderName {
            /// Which one a name is: in any case, whole or compact (RFC 3261 §7.3.3).
            pub fn of(name: &[u8]) -> HeaderName {
                let mut lower = [0; LONGEST];
                let Some(lower) = lower.get_mut(..name.len()) else { return HeaderName::Other };
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                match &*lower {
                    $($lower $(| $compact)? => HeaderName::$variant,)*
                    _ => HeaderName::Other,
                }
            }

            /// As it is written by this crate. Empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(HeaderName::$variant => $text,)*
                    HeaderName::Other => "",
                }
            }
        }

        #[cfg(test)]
        const ALL: &[HeaderName] = &[$(HeaderName::$variant),*];
    };
}

/// The length of the longest name known.
const LONGEST: usize = 20;

names! {
    Accept "Accept" b"accept";
    Allow "Allow" b"allow";
    AllowEvents "Allow-Events" b"allow-events" b"u";
    Authorization "Authorization" b"authorization";
    CallId "Call-ID" b"call-id" b"i";
    Contact "Contact" b"contact" b"m";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" b"e";
    ContentLength "Content-Length" b"content-length" b"l";
    ContentType "Content-Type" b"content-type" b"c";
    CSeq "CSeq" b"cseq";
    Date "Date" b"date";
    Event "Event" b"event" b"o";
    Expires "Expires" b"expires";
    From "From" b"from" b"f";
    MaxForwards "Max-Forwards" b"max-forwards";
    MinExpires "Min-Expires" b"min-expires";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity";
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity";
    Path "Path" b"path";
    Privacy "Privacy" b"privacy";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    ProxyRequire "Proxy-Require" b"proxy-require";
    RAck "RAck" b"rack";
    Reason "Reason" b"reason";
    RecordRoute "Record-Route" b"record-route";
    ReferTo "Refer-To" b"refer-to" b"r";
    ReferredBy "Referred-By" b"referred-by" b"b";
    Replaces "Replaces" b"replaces";
    Require "Require" b"require";
    RetryAfter "Retry-After" b"retry-after";
    Route "Route" b"route";
    RSeq "RSeq" b"rseq";
    Server "Server" b"server";
    ScopeCaller "Scope-Caller" b"scope-caller";
    ServiceRoute "Service-Route" b"service-route";
    SessionExpires "Session-Expires" b"session-expires" b"x";
    SipEtag "SIP-ETag" b"sip-etag";
    SipIfMatch "SIP-If-Match" b"sip-if-match";
    Subject "Subject" b"subject" b"s";
    SubscriptionState "Subscription-State" b"subscription-state";
    Supported "Supported" b"supported" b"k";
    Timestamp "Timestamp" b"timestamp";
    To "To" b"to" b"t";
    Unsupported "Unsupported" b"unsupported";
    UserAgent "User-Agent" b"user-agent";
    Via "Via" b"via" b"v";
    Warning "Warning" b"warning";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
}

impl std::fmt::Display for HeaderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == HeaderName::Other { "other header" } else { self.as_str() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_a_set_of_64_bits() {
        assert!((HeaderName::Other as u8) < 64);
    }

    #[test]
    fn every_name_is_found_in_any_case() {
        for name in ALL {
            let text = name.as_str();
            assert!(text.len() <= LONGEST, "{text}");
            assert_eq!(HeaderName::of(text.as_bytes()), *name);
            assert_eq!(HeaderName::of(text.to_uppercase().as_bytes()), *name);
            assert_eq!(HeaderName::of(text.to_lowercase().as_bytes()), *name);
        }
    }

    #[test]
    fn compact_names_are_those_of_the_registry() {
        for (compact, name) in [
            ("i", HeaderName::CallId),
            ("m", HeaderName::Contact),
            ("e", HeaderName::ContentEncoding),
            ("l", HeaderName::ContentLength),
            ("c", HeaderName::ContentType),
            ("f", HeaderName::From),
            ("s", HeaderName::Subject),
            ("k", HeaderName::Supported),
            ("t", HeaderName::To),
            ("v", HeaderName::Via),
            ("r", HeaderName::ReferTo),
            ("b", HeaderName::ReferredBy),
            ("o", HeaderName::Event),
            ("x", HeaderName::SessionExpires),
            ("u", HeaderName::AllowEvents),
            ("z", HeaderName::Other),
        ] {
            assert_eq!(HeaderName::of(compact.as_bytes()), name);
            assert_eq!(HeaderName::of(compact.to_uppercase().as_bytes()), name);
        }
        assert_eq!(HeaderName::of(b""), HeaderName::Other);
        assert_eq!(HeaderName::of(&[b'x'; 300]), HeaderName::Other);
    }
}
