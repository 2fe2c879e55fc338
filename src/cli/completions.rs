//! `bascule completions` and `bascule man`: what a shell completes, and pages for `man`, from the same words as `--help`.

use std::path::PathBuf;
use std::{fs, io};

use clap::Command;
use clap_complete::Shell;

use super::{exit, screen};

/// Print what a shell has to know to complete commands, options and their values.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For bash: source <(bascule completions bash). For zsh and fish, write it where they look for functions.\nExit codes: 0 printed; 64 wrong usage."
)]
pub struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Write a manual page of the program and of each command into a directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 written; 1 could not be written; 64 wrong usage.")]
pub struct ManArgs {
    /// Where to; it must exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "bascule", &mut text);
    // Whoever reads no further has what they wanted.
    screen::write(&String::from_utf8_lossy(&text));
    0
}

/// Writes the manual pages.
pub fn man(args: &ManArgs, command: Command) -> u8 {
    let written = pages(command).and_then(|pages| {
        pages.into_iter().try_for_each(|(name, page)| {
            let path = args.directory.join(name);
            fs::write(&path, page)?;
            // Whoever reads no further still has the pages.
            screen::write(&format!("{}\n", path.display()));
            Ok(())
        })
    });
    match written {
        Ok(()) => 0,
        Err(error) => exit::failed(&format!("manual pages cannot be written into {}: {error}", args.directory.display())),
    }
}

/// Each page by its file's name: `bascule.1`, `bascule-plan.1`.
fn pages(command: Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("bascule-{}", verb.get_name());
        let page = verb.clone().display_name(name.clone()).bin_name(format!("bascule {}", verb.get_name()));
        pages.push((format!("{name}.1"), rendered(page)?));
    }
    pages.push(("bascule.1".to_owned(), rendered(command)?));
    Ok(pages)
}

fn rendered(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
