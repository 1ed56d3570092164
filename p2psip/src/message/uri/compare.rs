//! When two URIs are the same (RFC 3261 §19.1.4), and what an escape means.

use std::borrow::Cow;

use super::Uri;

/// Resolves every `%HH`. What is no escape stays.
pub(crate) fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    Cow::Owned(units(text).map(|(byte, _)| byte).collect())
}

/// The bytes a text means, and whether each has to stay escaped since it is reserved.
fn units(text: &str) -> impl Iterator<Item = (u8, bool)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        at += 1;
        if byte != b'%' {
            return Some((byte, false));
        }
        let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        let (Some(high), Some(low)) = (digit(at), digit(at + 1)) else {
            return Some((byte, false));
        };
        at += 2;
        let byte = u8::try_from(high * 16 + low).ok()?;
        Some((byte, is_reserved(byte)))
    })
}

/// Characters that mean something else when they are escaped.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}

fn same_text(one: &str, two: &str) -> bool {
    one == two || units(one).eq(units(two))
}

fn same_in_any_case(one: &str, two: &str) -> bool {
    let lower = |(byte, reserved): (u8, bool)| (byte.to_ascii_lowercase(), reserved);
    units(one).map(lower).eq(units(two).map(lower))
}

fn same_option(one: Option<&str>, two: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same(one, two),
        (None, None) => true,
        _ => false,
    }
}

/// Those that must be in both or in none. A `transport` in only one leads elsewhere, too.
const TELLING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

pub(super) fn equivalent(one: &Uri<'_>, two: &Uri<'_>) -> bool {
    if !one.is_sip() || !two.is_sip() {
        // Of other schemes nothing is known.
        return one.text == two.text;
    }
    one.scheme == two.scheme
        && one.host == two.host
        && one.port == two.port
        && same_option(one.user, two.user, same_text)
        && same_option(one.password, two.password, same_text)
        && params_agree(one, two)
        && params_agree(two, one)
        && headers_agree(one.headers, two.headers)
}

/// Of more parameters, or headers, only the same text is the same: each is compared with each.
const PARTS_MAX: usize = 32;

fn params_agree(one: &Uri<'_>, two: &Uri<'_>) -> bool {
    if one.params.iter().count() > PARTS_MAX {
        return one.params == two.params;
    }
    one.params.iter().all(|param| {
        let mut same = two.params.iter().filter(|p| p.name.eq_ignore_ascii_case(param.name));
        match same.next() {
            // A name may be there only once; where it is not, each has to have its like.
            Some(first) => std::iter::once(first)
                .chain(same)
                .any(|other| same_option(param.value, other.value, same_in_any_case)),
            None => !TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(param.name)),
        }
    })
}

/// Headers are never ignored, but their order is.
fn headers_agree(one: Option<&str>, two: Option<&str>) -> bool {
    let (one, two) = (one.unwrap_or_default(), two.unwrap_or_default());
    if one == two {
        return true;
    }
    let all_in = |one: &str, two: &str| {
        one.split('&').all(|header| {
            let (name, value) = header.split_once('=').unwrap_or((header, ""));
            two.split('&').any(|other| {
                let (other, other_value) = other.split_once('=').unwrap_or((other, ""));
                same_in_any_case(name, other) && same_text(value, other_value)
            })
        })
    };
    let (count, other) = (one.split('&').count(), two.split('&').count());
    count == other && count <= PARTS_MAX && all_in(one, two) && all_in(two, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, two: &str) -> bool {
        let (one, two) = (Uri::parse(one).unwrap(), Uri::parse(two).unwrap());
        assert_eq!(equivalent(&one, &two), equivalent(&two, &one), "it is symmetric");
        one == two
    }

    #[test]
    fn equivalent_uris_are_equal() {
        for (one, two) in [
            ("sip:anna@scope.example", "SIP:anna@Scope.EXAMPLE"),
            ("sip:%61nna@h;transport=TCP", "sip:anna@h;Transport=tcp"),
            ("sip:anna@h;one=1", "sip:anna@h;other=2"),
            ("sip:anna@h?a=1&b=2", "sip:anna@h?B=2&A=1"),
            ("sip:anna@h;x=%41", "sip:anna@h;x=a"),
            ("sip:anna@h;x=1;x=2", "sip:anna@h;x=2;x=1"),
            ("sip:a@[2001:db8:0::1]", "sip:a@[2001:DB8::1]"),
        ] {
            assert!(same(one, two), "{one} {two}");
        }
    }

    #[test]
    fn different_uris_are_not() {
        for (one, two) in [
            ("sip:anna@h", "sip:Anna@h"),
            ("sip:anna@h", "sips:anna@h"),
            ("sip:anna@h", "sip:anna@h:5060"),
            ("sip:anna@h", "sip:h"),
            ("sip:anna@h", "sip:anna:x@h"),
            ("sip:anna@h", "sip:anna@h;user=phone"),
            ("sip:anna@h", "sip:anna@h;maddr=192.0.2.1"),
            ("sip:anna@h", "sip:anna@h;transport=udp"),
            ("sip:anna@h;x=1", "sip:anna@h;x=2"),
            ("sip:anna@h;x=1;x=2", "sip:anna@h;x=1"),
            ("sip:anna@h", "sip:anna@h?Subject=x"),
            ("sip:anna@h?a=1&a=1", "sip:anna@h?a=1&b=1"),
            ("sip:an%3Bna@h", "sip:an;na@h"),
            ("sip:anna@192.0.2.1", "sip:anna@h"),
            ("tel:+1", "tel:+2"),
        ] {
            assert!(!same(one, two), "{one} {two}");
        }
    }

    #[test]
    fn more_parts_than_anybody_has_are_compared_as_text() {
        let many = |separator: &str| {
            let parts: Vec<_> = (0..=PARTS_MAX).map(|n| format!("a{n}=1")).collect();
            (parts.join(separator), parts.into_iter().rev().collect::<Vec<_>>().join(separator))
        };
        for (before, separator) in [("sip:anna@h;", ";"), ("sip:anna@h?", "&")] {
            let (one, two) = many(separator);
            let (one, two) = (format!("{before}{one}"), format!("{before}{two}"));
            assert!(same(&one, &one) && !same(&one, &two));
        }
    }

    #[test]
    fn escapes_are_resolved_once() {
        assert_eq!(decode("a%2525%zz%4").as_ref(), b"a%25%zz%4");
        assert_eq!(decode("%00x%C3%BC").as_ref(), b"\0x\xc3\xbc");
    }
}
