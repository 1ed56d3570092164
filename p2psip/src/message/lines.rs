//! Writing header lines: no value can begin another line.

use std::fmt::{Display, Write};

use bytes::{BufMut, BytesMut};

use super::grammar::List;
use super::name::HeaderName;
use super::params::Params;
use super::via::ViaMark;

/// A buffer for values, which leaves line ends out: whatever a value was made of, it stays one value.
struct Value<'a>(&'a mut BytesMut);

impl Write for Value<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
            self.0.put_slice(text.as_bytes());
        } else {
            self.0.extend(text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        }
        Ok(())
    }
}

/// Writes a value, or a part of a start line.
pub(super) fn put(out: &mut BytesMut, value: impl Display) {
    // A growing buffer takes all; a `Display` of its own may fail, and has then written less.
    let _ = write!(Value(out), "{value}");
}

/// Writes a value of text.
fn put_text(out: &mut BytesMut, text: &str) {
    // It takes all: see `put`.
    let _ = Value(out).write_str(text);
}

/// Writes a header field.
pub(super) fn line(out: &mut BytesMut, name: &str, value: impl Display) {
    put_text(out, name);
    out.put_slice(b": ");
    put(out, value);
    out.put_slice(b"\r\n");
}

/// Writes a header field whose value was taken from a message: it may have folds.
pub(super) fn taken(out: &mut BytesMut, name: HeaderName, value: &[u8]) {
    out.put_slice(name.as_str().as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

/// Writes a Via header's value, the first Via of which is marked. The rest is as it was.
pub(super) fn marked_vias(out: &mut BytesMut, value: &[u8], mark: ViaMark) {
    match List::new(value).next() {
        Some(Ok(first)) => {
            marked_via(out, first, mark);
            let end = first.as_ptr() as usize - value.as_ptr() as usize + first.len();
            out.put_slice(&value[end..]);
        }
        _ => out.put_slice(value),
    }
}

/// Writes one Via's value with what its receiver adds; what the sender said in these parameters goes.
fn marked_via(out: &mut BytesMut, via: &[u8], mark: ViaMark) {
    let from = memchr::memchr(b';', via).unwrap_or(via.len());
    match Params::parse(&via[from..]) {
        Ok(params) => {
            out.put_slice(super::grammar::trim(&via[..from]));
            params.write_without(&["received", "rport"], out);
        }
        // Whoever answers a request with a broken Via does what can be done.
        Err(_) => out.put_slice(via),
    }
    if let Some(ip) = mark.received {
        put(out, format_args!(";received={ip}"));
    }
    if let Some(port) = mark.rport {
        put(out, format_args!(";rport={port}"));
    }
}
