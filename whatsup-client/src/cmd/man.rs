//! The man page: one for all commands, since that is what one looks up.

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
    sections(&command, &mut page)?;
    if let Some(text) = command.get_after_help() {
        let text = text.to_string();
        let (heading, text) = text.split_once(": ").unwrap_or(("Notes", &text));
        page.extend(format!(".SH {}\n{text}\n", quoted(heading)).bytes());
    }
    // Read as Latin-1 by formatters that are not told otherwise.
    let text = String::from_utf8_lossy(&page).replace('…', "\\[u2026]");
    Ok(text.into_bytes())
}

/// A part for each command that does something, its own sections one level down. Options that all have
/// stand at the top.
fn sections(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        if command.has_subcommands() {
            sections(command, page)?;
            continue;
        }
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
        let own = command.clone().mut_args(|arg| {
            let hidden = arg.is_global_set();
            arg.hide(hidden)
        });
        let man = Man::new(own);
        let mut roff = Vec::new();
        man.render_description_section(&mut roff)?;
        man.render_synopsis_section(&mut roff)?;
        man.render_options_section(&mut roff)?;
        let roff = String::from_utf8_lossy(&roff).replace(".SH ", ".SS ");
        page.extend(format!(".SH {}\n{roff}", quoted(&name)).bytes());
    }
    Ok(())
}

/// A heading as one argument, in capitals as the others are.
fn quoted(heading: &str) -> String {
    format!("\"{}\"", heading.to_uppercase())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_holds_every_command() {
        let page = String::from_utf8(super::page(super::super::command()).unwrap()).unwrap();
        for part in [".TH whatsup 1", ".SH \"WHATSUP SERVICES\"", ".SS SYNOPSIS", "EXIT STATUS"] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
        assert_eq!(page.matches("SUPERNODE_PASSPHRASE").count(), 1, "global options stand once");
    }
}
