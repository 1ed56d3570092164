//! Posts as they are shown: in a table for people, as objects for programs.

use serde_json::{Value as Json, json};

use super::community::time;
use super::table::Table;
use crate::post::Post;
use crate::text;

/// What is shown of a text in a table, in bytes.
const CELL_MAX: usize = 160;

/// Posts, one a row.
pub(super) fn table(posts: &[Post]) -> Table {
    let mut table = Table::new(["when", "by", "what", "id"]);
    for post in posts {
        let (when, id) = (time(post.stamp), post.id.to_string());
        table.row([&when, post.name.as_str(), &what(post), &id]);
    }
    table
}

/// A post in a line: its text, its link, its file.
pub(super) fn what(post: &Post) -> String {
    let mut parts = Vec::new();
    if !post.text.is_empty() {
        parts.push(text::shortened(&post.text, CELL_MAX).into_owned());
    }
    parts.extend(post.link.clone());
    parts.extend(
        post.file.as_ref().map(|file| format!("[{}, {}]", file.name, size(file.blob.size))),
    );
    parts.join(" ")
}

/// A post, for programs.
pub(super) fn as_json(post: &Post) -> Json {
    let file = post.file.as_ref().map(|file| {
        json!({
            "name": file.name,
            "media": file.media,
            "size": file.blob.size,
            "blob": file.blob.to_string(),
            "thumbnail": file.thumbnail.map(|blob| blob.to_string()),
            "width": file.pixels.map(|(width, _)| width),
            "height": file.pixels.map(|(_, height)| height),
        })
    });
    json!({
        "id": post.id.to_string(),
        "by": post.name.as_str(),
        "key": post.author.to_string(),
        "stamp_ms": post.stamp.millis(),
        "text": post.text,
        "more": post.long.map(|blob| blob.to_string()),
        "link": post.link,
        "file": file,
        "community": post.community.map(|id| id.to_string()),
    })
}

/// So many bytes, for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    for unit in &UNITS[..2] {
        if tenths < 10_240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_with_one_decimal() {
        let said = [0, 1023, 1024, 1536, 1 << 20, 100 << 20, 1 << 30, 1 << 40].map(size);
        let expected = [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "1.5 KiB",
            "1.0 MiB",
            "100.0 MiB",
            "1.0 GiB",
            "1024.0 GiB",
        ];
        assert_eq!(said, expected);
    }
}
