//! The man page: one for the daemon and its commands, since that is what one looks up.

use std::io;

use clap_mangen::Man;

/// The page in roff.
///
/// # Errors
/// None in practice: it is written to memory.
pub(super) fn page(mut command: clap::Command) -> io::Result<Vec<u8>> {
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("SCOPE");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands() {
        page.extend(section(subcommand)?);
    }
    if let Some(text) = command.get_after_help() {
        let (heading, text) = text.to_string().split_once(": ").map_or_else(
            || ("Notes".into(), text.to_string()),
            |(heading, text)| (heading.to_owned(), text.to_owned()),
        );
        page.extend(format!(".SH {}\n{text}\n", quoted(&heading)).bytes());
    }
    // Read as Latin-1 by formatters that are not told otherwise.
    let text = String::from_utf8_lossy(&page).replace('…', "\\[u2026]");
    Ok(text.into_bytes())
}

/// A command's part of the page, its own sections one level down.
fn section(command: &clap::Command) -> io::Result<Vec<u8>> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone());
    let mut roff = Vec::new();
    man.render_description_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    let roff = String::from_utf8_lossy(&roff).replace(".SH ", ".SS ");
    Ok(format!(".SH {}\n{roff}", quoted(&name)).into_bytes())
}

/// A heading as one argument, in capitals as the others are.
fn quoted(heading: &str) -> String {
    format!("\"{}\"", heading.to_uppercase())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_holds_the_daemon_and_every_command() {
        let page = String::from_utf8(super::page(crate::cli::command()).unwrap()).unwrap();
        for part in [
            ".TH supernode 1",
            ".SH NAME",
            "public\\-metrics",
            ".SH \"SUPERNODE PUT\"",
            ".SH \"SUPERNODE STATUS\"",
            ".SS SYNOPSIS",
            "secret\\-file",
            ".SH \"EXIT STATUS\"",
        ] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
    }
}
