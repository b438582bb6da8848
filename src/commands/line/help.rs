//! Help. `--help` fits on a screen of 24 lines and has the options that matter first; `--help-all` has every
//! option, each under the heading of what it belongs to.

use super::page::Page;
use super::pages::page;
use crate::check::{CONNECTION, MODES};
use crate::cli::Cli;
use crate::commands::check::arguments::Arguments;
use crate::model::Role;
use crate::tools::{TOOLS, Tool};
use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory as _};

/// The heading of a structure's options. The rest are under "Options".
const HEADINGS: [(&str, &str); 8] = [
    ("MigrationArgs", "Migration"),
    ("JudgeArgs", "Judging"),
    ("ConnectArgs", "Connection"),
    ("RecordArgs", "Recording"),
    ("FromCatalogArgs", "Recording"),
    ("RehearseArgs", "Rehearsal"),
    ("HistoryArgs", "History"),
    ("SampleArgs", "Estimate"),
];

/// Commands that are only in the long help: the short one has to fit on a screen.
const LATER: [&str; 5] = ["catalog", "tools", "completions", "man", "help"];

/// The command line to parse with. `all`: its help lists every option.
#[must_use]
pub fn command(all: bool) -> Command {
    dressed(Cli::command(), "", all)
}

/// The command line as help, man pages and completions show it: with the plugin's own arguments, and the values
/// that an option takes.
#[must_use]
pub fn shown(all: bool) -> Command {
    let mut at = 0;
    command(all).mut_subcommands(|below| {
        at += 1;
        let below = match below.get_name() {
            "check" => plugin(all),
            _ => below,
        };
        with_values(below).display_order(at)
    })
}

/// The command line of the monitoring plugin, which has habits of its own.
#[must_use]
pub fn plugin(all: bool) -> Command {
    dressed(Arguments::command().name("check"), "check", all)
}

fn dressed(command: Command, path: &str, all: bool) -> Command {
    let page = page(path);
    let heading = |arg: &Arg| {
        let group = command.get_groups().find(|group| {
            group.get_args().any(|id| id == arg.get_id()) && is_headed(group.get_id().as_str())
        })?;
        HEADINGS
            .iter()
            .find(|(id, _)| *id == group.get_id().as_str())
            .map(|(_, heading)| *heading)
    };
    let headings: Vec<(clap::Id, &str)> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_id().clone(), heading(arg)?)))
        .collect();
    let command = command.mut_args(|arg| {
        if !all {
            return in_short(arg, page);
        }
        let heading = headings.iter().find(|(id, _)| id == arg.get_id());
        match heading {
            Some((_, heading)) => arg.help_heading(*heading),
            None => arg,
        }
    });
    let command = match page {
        Some(page) => command.after_help(page.after_help(all)),
        None => command,
    };
    let path = path.to_owned();
    command.mut_subcommands(|below| {
        let is_later = !all && path.is_empty() && LATER.contains(&below.get_name());
        let path = format!("{path} {}", below.get_name());
        dressed(below, path.trim_start(), all).hide(is_later)
    })
}

fn is_headed(group: &str) -> bool {
    HEADINGS.iter().any(|(id, _)| *id == group)
}

/// An option in the short help: on one line, in the page's order, help last; or hidden.
fn in_short(arg: Arg, page: Option<&Page>) -> Arg {
    let first = page.map_or(&[][..], |page| page.first);
    let at = first.iter().position(|(id, _)| arg.get_id() == *id);
    match at {
        Some(at) => {
            let takes_a_word = arg.get_action().takes_values();
            arg.help(first[at].1)
                .hide_default_value(takes_a_word)
                .hide_possible_values(takes_a_word)
                .display_order(at)
        }
        None if arg.is_positional() => arg,
        None if arg.get_id() == "help" => arg.display_order(99),
        None => arg.hide_short_help(true),
    }
}

/// The values of options that take a word of a list, for completions; parsing takes more forms of them.
fn with_values(command: Command) -> Command {
    let tools: Vec<String> = TOOLS.iter().map(Tool::word).collect();
    let roles: Vec<String> = Role::ALL.iter().map(|role| role.word().into()).collect();
    let modes = MODES.iter().map(|mode| mode.name).chain([CONNECTION]);
    let modes: Vec<String> = modes.map(Into::into).collect();
    let is_status = command.get_name() == "status";
    command
        .mut_args(|arg| {
            let values = match arg.get_id().as_str() {
                "tool" => &tools,
                "role" if is_status => &roles,
                "exclude_role" => &roles,
                "mode" => &modes,
                _ => return arg,
            };
            arg.value_parser(PossibleValuesParser::new(values))
                .hide_possible_values(true)
        })
        .mut_subcommands(with_values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &Command, look: &mut impl FnMut(&Command)) {
        look(command);
        for below in command.get_subcommands() {
            each(below, look);
        }
    }

    #[test]
    fn flags_do_not_contradict_each_other() {
        for all in [false, true] {
            command(all).debug_assert();
            shown(all).debug_assert();
        }
    }

    /// `next_help_heading` of a structure used to leak to whatever came after it.
    #[test]
    fn an_option_is_under_the_heading_of_its_own_structure() {
        let expected = [
            (
                "Connection",
                &["host", "port", "user", "dbname", "timeout"][..],
            ),
            (
                "Migration",
                &[
                    "tool",
                    "transaction",
                    "role",
                    "all",
                    "max_bytes",
                    "max_statements",
                ],
            ),
            (
                "Judging",
                &[
                    "patience",
                    "max_hold",
                    "allow",
                    "allow_opaque",
                    "asking",
                    "config",
                ],
            ),
            ("Recording", &["record", "replay", "catalog"]),
            (
                "Rehearsal",
                &[
                    "schema",
                    "prepare",
                    "version_table",
                    "also",
                    "also_port",
                    "command_timeout",
                    "network",
                    "unconfined",
                ],
            ),
            ("History", &["history", "no_history"]),
            ("Estimate", &["sample"]),
        ];
        let mut seen = 0;
        each(&command(true), &mut |command| {
            for arg in command.get_arguments() {
                if let Some(heading) = arg.get_help_heading() {
                    let (_, ids) = expected
                        .iter()
                        .find(|(name, _)| *name == heading)
                        .expect(heading);
                    let id = arg.get_id().as_str();
                    assert!(ids.contains(&id), "{heading}: {id}");
                    seen += 1;
                }
            }
        });
        assert!(seen > 20);
    }

    #[test]
    fn every_command_has_a_page_whose_first_options_exist() {
        let mut paths = Vec::new();
        fn collect(command: &Command, path: &str, paths: &mut Vec<(String, Vec<String>)>) {
            let ids = command
                .get_arguments()
                .map(|arg| arg.get_id().to_string())
                .collect();
            paths.push((path.to_owned(), ids));
            for below in command.get_subcommands() {
                collect(
                    below,
                    format!("{path} {}", below.get_name()).trim_start(),
                    paths,
                );
            }
        }
        collect(&shown(true), "", &mut paths);
        for (path, ids) in &paths {
            let page = page(path).unwrap_or_else(|| panic!("no page of {path}"));
            assert!(page.first.len() <= 5, "{path}");
            for (first, _) in page.first {
                assert!(
                    ids.iter().any(|id| id == first) || *first == "version",
                    "{path}: {first} of {ids:?}"
                );
            }
        }
        assert_eq!(paths.len(), super::super::pages::PAGES.len());
    }
}
