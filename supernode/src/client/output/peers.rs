//! The table of a status's peers, for people.

use serde_json::Value as Json;

use super::harmless;

/// Characters of an id's end that are shown: the beginning is the same for all, and the rest takes
/// half a line. `--json` has all of it.
const ID_SHOWN: usize = 8;
const HEADINGS: [&str; 6] = ["PEER", "ADDRESS", "HEALTH", "SILENT", "P50", "P99"];

/// A line for each peer under a line of headings; nothing without peers. What is not there, or is
/// not what it should be, is a dash.
pub(super) fn table(peers: &Json) -> String {
    let peers = peers.as_array().map(Vec::as_slice).unwrap_or_default();
    if peers.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(peers.iter().map(row));
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; HEADINGS.len()]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(peer: &Json) -> [String; HEADINGS.len()] {
    let text = |field: &str| peer[field].as_str().map(harmless);
    let latency = |field: &str| {
        let micros = peer[field].as_u64();
        micros.map(|micros| format!("{:.2} ms", micros as f64 / 1e3))
    };
    let silent = peer["silent_ms"].as_u64();
    [
        text("id").map(|id| shortened(&id)),
        text("address"),
        text("health"),
        silent.map(|millis| format!("{:.1} s", millis as f64 / 1e3)),
        latency("latency_p50_us"),
        latency("latency_p99_us"),
    ]
    .map(|cell| cell.filter(|cell| !cell.is_empty()).unwrap_or_else(|| "-".into()))
}

fn shortened(id: &str) -> String {
    let count = id.chars().count();
    match count > ID_SHOWN {
        true => {
            id.chars().skip(count - ID_SHOWN).fold("…".to_owned(), |id, c| id + &c.to_string())
        }
        false => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_peer_has_a_line_and_its_columns_stand_under_their_headings() {
        let peers = json!([
            {
                "id": "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A",
                "address": "192.168.1.7:5850", "health": "well", "silent_ms": 412,
                "latency_p50_us": 188, "latency_p99_us": 1904
            },
            {
                "id": "12D3KooWFg2pBEd2uXtjJPnkAYAa89uUuKzLU2rzqA2Qv39eqetP",
                "address": null, "health": "suspect", "silent_ms": 10_000,
                "latency_p50_us": null, "later": true
            },
        ]);
        assert_eq!(
            table(&peers),
            "\
PEER       ADDRESS           HEALTH   SILENT  P50      P99
…QN5MeL6A  192.168.1.7:5850  well     0.4 s   0.19 ms  1.90 ms
…v39eqetP  -                 suspect  10.0 s  -        -
"
        );
    }

    #[test]
    fn a_hostile_nodes_peers_do_nothing_to_the_terminal() {
        assert_eq!(table(&json!([])), "");
        assert_eq!(table(&json!("many")), "");
        let table = table(&json!([{"id": "\u{1b}[31m", "health": 5, "silent_ms": -1}, 7]));
        assert!(!table.contains('\u{1b}'), "{table:?}");
        assert_eq!(table.lines().count(), 3);
    }
}
