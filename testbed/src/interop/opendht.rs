//! OpenDHT's clients as they were in 2004: Python 2.3's `xmlrpclib`, HTTP/1.0, a connection for
//! each call, base64 wrapped in lines. Their request bodies are the files of `interop/opendht/`,
//! their replies are compared in type and content.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::checks::Checks;
use crate::http::Connection;
use crate::node::{ANY_PORT, Data, Node};
use crate::rpc::{Datum, Reply, fault_code, parse};

const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What the fixtures put without a secret, with an hour to live.
const PLAIN: &[u8] =
    b"The quick brown fox jumps over the lazy dog, more than once and for good measure.";
/// What they put with [`SECRET`] and two hours to live.
const GUARDED: &[u8] = b"A value that only its owner may remove.";
const SECRET: &[u8] = b"the owner's secret";

/// Values of the paging sequence, and their size: four pages of 1 KiB.
const PAGED: usize = 12;
const PAGED_SIZE: usize = 300;
/// A page holds about 1 KiB; where it is cut is the server's matter, to within one value.
const PAGE_MAX: usize = 1024 + PAGED_SIZE;
/// OpenDHT's longest time to live, in seconds.
const TTL_MAX: i32 = 604_800;

/// A request body of OpenDHT's.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../interop/opendht/", $name, ".xml"))
    };
}

/// What a step shows, and the step.
type Step = (&'static str, fn(Gateway) -> Result<()>);

/// Sends every body to a super-node in memory and one on disk and compares the replies.
pub(super) fn run() -> Result<usize> {
    let dir = TempDir::new()?;
    let disk = Data::Dir(dir.path().join("data"));
    Ok(run_against(&Data::Ephemeral, "memory")? + run_against(&disk, "disk")?)
}

fn run_against(data: &Data, label: &str) -> Result<usize> {
    let node = Node::start(data, ANY_PORT)?;
    let gateway = Gateway(node.http());
    let mut checks = Checks::default();
    let steps: [Step; 8] = [
        ("put is 0 and get gives the value", put_and_get),
        ("put_removable is 0 and get_details tells all", put_removable_and_details),
        ("rm with a wrong secret is 0 and removes nothing", rm_with_a_wrong_secret),
        ("rm with the right secret is 0 and removes", rm_with_the_right_secret),
        ("a put after an rm counts", put_after_rm),
        ("pages of 1 KiB, by placemark, hold everything once", paging),
        ("a ttl above a week is a week", ttl_is_clamped),
        ("what is too large or unknown is a fault", refusals),
    ];
    for (what, step) in steps {
        checks.check(&format!("{label}: {what}"), || step(gateway));
    }
    node.stop()?;
    checks.finish()
}

fn put_and_get(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("get_nothing"), &page(vec![], b""))?;
    gateway.expect(fixture!("put"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(vec![PLAIN], b""))?;
    gateway.expect(fixture!("put"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(vec![PLAIN], b""))?;
    gateway.expect(fixture!("put_value_of_1024_bytes"), &Datum::Int(0))?;
    gateway.expect(fixture!("get_largest"), &page(vec![&[b'v'; 1024]], b""))
}

fn put_removable_and_details(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("put_removable"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(sorted(vec![PLAIN, GUARDED]), b""))?;
    let (rows, placemark) = gateway.details(fixture!("get_details"))?;
    ensure!(placemark.is_empty(), "a placemark although everything is listed");
    ensure!(rows.len() == 2, "{} rows instead of 2", rows.len());
    for row in rows {
        let (algorithm, tag, ttl) = match row.value.as_slice() {
            PLAIN => ("", Vec::new(), 3600),
            GUARDED => ("SHA", Sha1::digest(SECRET).to_vec(), 7200),
            other => bail!("a value nobody put: {other:?}"),
        };
        ensure!(row.algorithm == algorithm, "hash algorithm {:?}", row.algorithm);
        ensure!(row.tag == tag, "secret hash {:?} instead of {tag:?}", row.tag);
        ensure!((ttl - 60..=ttl).contains(&row.ttl), "{} s of {ttl} remain", row.ttl);
    }
    // A client that asks for one value at a time gets one, and a way on.
    let (values, placemark) = gateway.values(fixture!("get_one"))?;
    ensure!(values.len() == 1, "{} values where 1 was asked for", values.len());
    ensure!(!placemark.is_empty(), "no placemark although there is more");
    Ok(())
}

fn rm_with_a_wrong_secret(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("rm_wrong_secret"), &Datum::Int(0))?;
    // A value put without a secret cannot be removed by rm at all.
    gateway.expect(fixture!("rm_unguarded"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(sorted(vec![PLAIN, GUARDED]), b""))
}

fn rm_with_the_right_secret(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("rm"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(vec![PLAIN], b""))?;
    gateway.expect(fixture!("rm"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(vec![PLAIN], b""))
}

fn put_after_rm(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("put_removable"), &Datum::Int(0))?;
    gateway.expect(fixture!("get"), &page(sorted(vec![PLAIN, GUARDED]), b""))
}

fn paging(gateway: Gateway) -> Result<()> {
    let put: Vec<Vec<u8>> = (0..PAGED).map(paged_value).collect();
    for value in &put {
        let body = fixture!("put_page").replace("@VALUE@", &STANDARD.encode(value));
        gateway.expect(&body, &Datum::Int(0))?;
    }
    let wanted = sorted(put.iter().map(Vec::as_slice).collect());
    let got = all_pages(|placemark| {
        gateway.values(&fixture!("get_page").replace("@PLACEMARK@", placemark))
    })?;
    ensure!(got == wanted, "get: {} values instead of {PAGED}, or out of order", got.len());
    let got = all_pages(|placemark| {
        let body = fixture!("get_details_page").replace("@PLACEMARK@", placemark);
        let (rows, placemark) = gateway.details(&body)?;
        Ok((rows.into_iter().map(|row| row.value).collect(), placemark))
    })?;
    ensure!(got == wanted, "get_details: {} values instead of {PAGED}", got.len());
    Ok(())
}

fn ttl_is_clamped(gateway: Gateway) -> Result<()> {
    gateway.expect(fixture!("put_forever"), &Datum::Int(0))?;
    let (rows, _) = gateway.details(fixture!("get_details_forever"))?;
    let ttl = rows.first().context("no such value")?.ttl;
    ensure!((TTL_MAX - 60..=TTL_MAX).contains(&ttl), "{ttl} s remain of a year asked for");
    Ok(())
}

fn refusals(gateway: Gateway) -> Result<()> {
    let refused = [
        ("a key of 21 bytes", fixture!("put_key_of_21_bytes"), 3),
        ("a value of 1025 bytes", fixture!("put_value_of_1025_bytes"), 3),
        ("a secret of 41 bytes", fixture!("rm_secret_of_41_bytes"), 3),
        ("MD5", fixture!("put_removable_md5"), 2),
    ];
    for (what, body, code) in refused {
        let reply = gateway.call(body)?;
        let got = fault_code(&reply).context(what)?;
        ensure!(got == code, "{what}: fault {got} instead of {code}");
    }
    gateway.expect(fixture!("get"), &page(sorted(vec![PLAIN, GUARDED]), b""))
}

/// Follows placemarks from the empty one to the empty one.
fn all_pages(mut get: impl FnMut(&str) -> Result<(Vec<Vec<u8>>, Vec<u8>)>) -> Result<Vec<Vec<u8>>> {
    let (mut all, mut placemark, mut pages) = (Vec::new(), Vec::new(), 0);
    // No page is empty, so that there are at most as many as values.
    for _ in 0..PAGED {
        let (values, next) = get(&STANDARD.encode(&placemark))?;
        let size: usize = values.iter().map(Vec::len).sum();
        ensure!(!values.is_empty() && size <= PAGE_MAX, "a page of {size} bytes");
        all.extend(values);
        pages += 1;
        placemark = next;
        if placemark.is_empty() {
            ensure!(pages >= PAGED * PAGED_SIZE / PAGE_MAX, "only {pages} pages");
            return Ok(all);
        }
    }
    bail!("the listing does not end")
}

fn paged_value(number: usize) -> Vec<u8> {
    format!("value {number:02} ").into_bytes().into_iter().cycle().take(PAGED_SIZE).collect()
}

/// Entries are listed by their hash, which begins with the value's SHA-1.
fn sorted(mut values: Vec<&[u8]>) -> Vec<&[u8]> {
    values.sort_by_key(|value| Sha1::digest(value));
    values
}

fn page(values: Vec<&[u8]>, placemark: &[u8]) -> Datum {
    let values = values.into_iter().map(|value| Datum::Bytes(value.to_vec())).collect();
    Datum::Array(vec![Datum::Array(values), Datum::Bytes(placemark.to_vec())])
}

/// A row of `get_details`.
struct Row {
    value: Vec<u8>,
    ttl: i32,
    algorithm: String,
    tag: Vec<u8>,
}

/// The gateway, called as an old client would.
#[derive(Clone, Copy)]
struct Gateway(SocketAddr);

impl Gateway {
    fn call(self, body: &str) -> Result<Reply> {
        let mut connection = Connection::open(self.0, CALL_LIMIT)?;
        let (host, length) = (self.0, body.len());
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {host}\r\n\
             User-Agent: xmlrpclib.py/1.0.1 (by www.pythonware.com)\r\n\
             Content-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        connection.send(request.as_bytes())?;
        let answer = connection.answer()?.context("no answer")?;
        ensure!(answer.status == 200, "HTTP status {}", answer.status);
        let kind = answer.field("content-type").unwrap_or_default();
        ensure!(kind.starts_with("text/xml"), "Content-Type {kind:?}");
        parse(&answer.body)
    }

    fn expect(self, body: &str, wanted: &Datum) -> Result<()> {
        let got = self.call(body)?.value()?;
        ensure!(got == *wanted, "{got:?} instead of {wanted:?}");
        Ok(())
    }

    fn values(self, body: &str) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
        let [values, placemark] = self.call(body)?.value()?.tuple()?;
        let values = values.array()?.into_iter().map(Datum::bytes).collect::<Result<_>>()?;
        Ok((values, placemark.bytes()?))
    }

    fn details(self, body: &str) -> Result<(Vec<Row>, Vec<u8>)> {
        let [rows, placemark] = self.call(body)?.value()?.tuple()?;
        let rows = rows.array()?.into_iter().map(Row::from_datum).collect::<Result<_>>()?;
        Ok((rows, placemark.bytes()?))
    }
}

impl Row {
    fn from_datum(row: Datum) -> Result<Row> {
        match row.tuple()? {
            [Datum::Bytes(value), Datum::Int(ttl), Datum::Text(algorithm), Datum::Bytes(tag)] => {
                Ok(Row { value, ttl, algorithm, tag })
            }
            other => bail!("a row of other types: {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixtures_hold_what_the_checks_expect() {
        let removable = fixture!("put_removable");
        assert!(removable.contains(&STANDARD.encode(GUARDED)));
        assert!(removable.contains(&STANDARD.encode(Sha1::digest(SECRET))));
        assert!(fixture!("rm").contains(&STANDARD.encode(SECRET)));
        assert!(fixture!("rm").contains(&STANDARD.encode(Sha1::digest(GUARDED))));
        let put: String = fixture!("put").split_whitespace().collect();
        assert!(put.contains(&STANDARD.encode(PLAIN)));
        assert!(fixture!("put").contains("<int>3600</int>"));
    }

    #[test]
    fn a_row_of_other_types_is_refused() {
        let row = |ttl| {
            let bytes = || Datum::Bytes(vec![1]);
            Datum::Array(vec![bytes(), ttl, Datum::Text("SHA".into()), bytes()])
        };
        assert!(Row::from_datum(row(Datum::Int(5))).is_ok());
        assert!(Row::from_datum(row(Datum::Wide(5))).is_err());
    }

    #[test]
    fn a_listing_that_does_not_end_is_an_error() {
        assert!(all_pages(|_| Ok((vec![vec![0; 300]], vec![1]))).is_err());
        assert!(all_pages(|_| Ok((vec![], vec![]))).is_err());
        assert!(all_pages(|_| Ok((vec![vec![0; 5000]], vec![]))).is_err());
    }
}
