//! [`Table`]: columns for people, aligned by what a terminal shows: a Chinese character is two columns wide,
//! a combining accent none.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::text;

/// Between two columns.
const GAP: usize = 2;

/// Rows of cells under a heading. All cells are made safe to show.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    pub fn new<'a>(heading: impl IntoIterator<Item = &'a str>) -> Table {
        Table { rows: vec![heading.into_iter().map(str::to_uppercase).collect()] }
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells = cells.into_iter().map(|cell| text::shown(cell.as_ref()).into_owned());
        self.rows.push(cells.collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_shown_and_nothing_hostile_is() {
        let mut table = Table::new(["name", "company"]);
        table.row(["山田", "Ｎippon\u{1b}[2J"]);
        table.row(["zoe\u{308}", ""]);
        table.row(["bob", "Acme"]);
        let shown = "NAME  COMPANY\n山田  Ｎippon\u{fffd}[2J\nzoe\u{308}\nbob   Acme\n";
        assert_eq!(table.to_string(), shown);
    }
}
