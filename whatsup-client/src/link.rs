//! Links and file names that somebody else gave: what of them may be shown, opened and written.

use url::Url;

/// Longest link, in bytes, as it is kept: beside it a post has room for a file and the beginning of a text.
pub const LINK_MAX: usize = 400;
/// Longest name of a file, in bytes: what every file system takes, with room for `.part` and a number.
pub const FILE_NAME_MAX: usize = 120;

/// What is no link that may be shared, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is no address of a page.
    #[error("that is no link: {0}; it begins with http:// or https:// and a host")]
    Malformed(String),
    /// It would be opened by something else than a browser's page.
    #[error("a link of {0:?} is not shared; only http:// and https:// are")]
    Scheme(String),
    /// It has a user or a password, as links have that pretend to lead elsewhere.
    #[error("the link has a user name or password before its host; leave them out")]
    User,
    /// It is longer than it may be.
    #[error("the link has {len} bytes; the limit is {LINK_MAX}")]
    TooLong {
        /// Its length, in bytes.
        len: usize,
    },
}

/// A link as it is shared and shown: `http` or `https`, a host in ASCII (what only looks like another's name is
/// seen to be something else), everything else percent-encoded. Given again, it stays as it is.
///
/// # Errors
/// [`LinkError`] says what to change.
pub fn link(text: &str) -> Result<String, LinkError> {
    let text = text.trim();
    // What only parses because the parser mends it, as browsers do, is not a link that somebody copied.
    if text.len() > 2 * LINK_MAX {
        return Err(LinkError::TooLong { len: text.len() });
    }
    let url = Url::parse(text).map_err(|error| LinkError::Malformed(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(LinkError::Scheme(url.scheme().chars().take(20).collect()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LinkError::User);
    }
    let link = String::from(url);
    // A fragment may hold characters that are not seen; nothing else outside of ASCII is left here.
    if !link.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LinkError::Malformed("it has characters that no link has".to_owned()));
    }
    if link.len() > LINK_MAX {
        return Err(LinkError::TooLong { len: link.len() });
    }
    Ok(link)
}

/// A name under which a file may be written here: the last part of what somebody called it, without what a file
/// system, a shell or a terminal gives a meaning to, and never hidden. At most [`FILE_NAME_MAX`] bytes, its
/// ending kept.
pub fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' | '$' | '`' | '\'' | '!' | '&' | ';' => '_',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let kept: String = crate::text::shown(last).chars().map(plain).collect();
    let kept = kept.trim_matches(|c: char| c == '.' || c == '-' || c == '~' || c.is_whitespace());
    // Names of devices on Windows, whatever their ending.
    let stem = kept.split('.').next().unwrap_or_default().trim_end();
    let device = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"].iter().any(|device| {
        let stem = stem.to_ascii_uppercase();
        stem.strip_prefix(device).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    });
    let mut name = if device { format!("_{kept}") } else { kept.to_owned() };
    if name.is_empty() {
        "file".clone_into(&mut name);
    }
    if name.len() > FILE_NAME_MAX {
        let ending =
            name.rfind('.').filter(|at| name.len() - at <= 16).map_or("", |at| &name[at..]);
        let stem = &name[..name.floor_char_boundary(FILE_NAME_MAX - ending.len())];
        name = format!("{}{ending}", stem.trim_end_matches(['.', ' ']));
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_leads_to_a_page_and_shows_where() {
        let kept = |text| link(text).unwrap();
        assert_eq!(kept(" https://example.org/a b?q=ü#x "), "https://example.org/a%20b?q=%C3%BC#x");
        assert_eq!(kept("HTTP://10.0.0.7:5851"), "http://10.0.0.7:5851/");
        assert_eq!(kept("https://еxample.org/"), "https://xn--xample-2of.org/");
        for wrong in ["", "page", "//host/x", "http://", "https://a b/", "http:///\u{0}"] {
            assert!(matches!(link(wrong), Err(LinkError::Malformed(_))), "{wrong:?}");
        }
        for wrong in ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "sip:a@b"] {
            assert!(matches!(link(wrong), Err(LinkError::Scheme(_))), "{wrong:?}");
        }
        assert_eq!(link("https://bank.example@evil.example/"), Err(LinkError::User));
        let long = format!("https://a.example/{}", "x".repeat(LINK_MAX));
        assert_eq!(link(&long), Err(LinkError::TooLong { len: LINK_MAX + 18 }));
    }

    #[test]
    fn a_file_name_cannot_lead_elsewhere() {
        for (given, name) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\x\\photo.jpg", "photo.jpg"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("a\u{202e}gpj.exe", "a\u{fffd}gpj.exe"),
            ("$(reboot).txt", "_(reboot).txt"),
            ("", "file"),
            ("..", "file"),
            ("con.txt", "_con.txt"),
            ("Über uns.pdf", "Über uns.pdf"),
        ] {
            assert_eq!(file_name(given), name, "{given:?}");
        }
        let long = file_name(&format!("{}.tar.gz", "ü".repeat(200)));
        assert!(long.len() <= FILE_NAME_MAX && long.ends_with("ü.gz"), "{long}");
    }

    proptest! {
        #[test]
        fn what_was_made_safe_stays_as_it_is(text in any::<String>(), tail in "[a-zA-Z0-9/?#@:%ü ]*") {
            let name = file_name(&text);
            prop_assert!(!name.is_empty() && name.len() <= FILE_NAME_MAX);
            prop_assert!(!name.contains(['/', '\\', '\0', '\n']) && !name.starts_with('.'));
            prop_assert_eq!(file_name(&name), name);
            if let Ok(kept) = link(&format!("https://{tail}")) {
                prop_assert_eq!(link(&kept), Ok(kept.clone()));
            }
        }
    }
}
