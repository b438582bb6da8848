//! The programs that make backups. They do other things too, and far more often: `barman cron` runs each minute. So one
//! row tells of each program what starts a backup.

use crate::model::BackupTool;

/// What a backup reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tables, each under a lock: a migration meets it.
    Logical,
    /// Files: no migration meets it.
    Physical,
}

/// What of a program starts a backup.
enum Starts {
    /// Every call, unless it has one of these options: (short ones, long ones).
    Unless(&'static str, &'static [&'static str]),
    /// These subcommands of all that it has.
    With(&'static [&'static str], &'static str),
}

/// A program: its names, what starts a backup, and which kind.
pub(super) struct Program(&'static [&'static str], Starts, Kind);

/// Options of pg_dump and pg_dumpall that leave out all rows of tables: seconds, not hours. Those that only
/// print something are among them.
const NO_ROWS: &[&str] = &[
    "schema-only",
    "statistics-only",
    "no-data",
    "globals-only",
    "roles-only",
    "tablespaces-only",
    "section=pre-data",
    "section=post-data",
    "help",
    "version",
];

const PROGRAMS: [Program; 12] = [
    Program(&["pg_dump"], Starts::Unless("sV?", NO_ROWS), Kind::Logical),
    Program(
        &["pg_dumpall"],
        Starts::Unless("sgrtV?", NO_ROWS),
        Kind::Logical,
    ),
    Program(
        &["pg_basebackup", "barman-cloud-backup"],
        Starts::Unless("V?", &["help", "version"]),
        Kind::Physical,
    ),
    Program(
        &["pgbackrest"],
        Starts::With(
            &["backup"],
            "annotate archive-get archive-push check expire help info manifest repo-get repo-ls \
             repo-put repo-rm restore server server-ping stanza-create stanza-delete \
             stanza-upgrade start stop verify version",
        ),
        Kind::Physical,
    ),
    Program(
        &["barman"],
        Starts::With(
            &["backup"],
            "archive-wal check check-backup check-wal-archive config-switch config-update cron \
             delete diagnose generate-manifest get-wal help keep list-backup list-backups \
             list-files list-processes list-server list-servers lock-directory-cleanup put-wal \
             rebuild-xlogdb receive-wal recover replication-status restore show-backup \
             show-backups show-server show-servers status switch-wal switch-xlog sync-backup \
             sync-info sync-wals terminate-process verify verify-backup",
        ),
        Kind::Physical,
    ),
    Program(
        &["wal-g", "wal-g-pg", "wal-e"],
        Starts::With(
            &["backup-push", "catchup-push"],
            "backup-fetch backup-list backup-mark backup-show catchup-fetch catchup-list copy \
             daemon delete flags help pgbackrest st wal-fetch wal-prefetch wal-purge wal-push \
             wal-receive wal-restore wal-show wal-verify",
        ),
        Kind::Physical,
    ),
    Program(
        &["pg_probackup"],
        Starts::With(
            &["backup", "catchup"],
            "add-instance archive-get archive-push checkdb del-instance delete help init merge \
             restore set-backup set-config show show-config validate version",
        ),
        Kind::Physical,
    ),
    Program(
        &["pg_rman"],
        Starts::With(&["backup"], "delete init purge restore show validate"),
        Kind::Physical,
    ),
    Program(
        &["pgmoneta-cli"],
        Starts::With(
            &["backup"],
            "annotate archive clear compress conf decompress decrypt delete encrypt expunge info \
             list-backup ping restore retain shutdown status verify",
        ),
        Kind::Physical,
    ),
    Program(
        &["pg_back"],
        Starts::Unless(
            "VhL",
            &[
                "convert-legacy-config",
                "decrypt",
                "download",
                "help",
                "list-remote",
                "print-default-config",
                "version",
            ],
        ),
        Kind::Logical,
    ),
    Program(
        &[
            "autopostgresqlbackup",
            "pg_backup.sh",
            "pg_backup_rotated.sh",
        ],
        Starts::Unless("hV", &["help", "version"]),
        Kind::Logical,
    ),
    Program(
        &["pgguard"],
        Starts::With(&["record"], "export import init"),
        Kind::Logical,
    ),
];

/// Short options of pg_dump and pg_dumpall that take a value: what follows in their word is no option.
pub(super) const VALUED: &str = "deEfFhjlnNpStTUZ";

impl Program {
    /// The row of a program.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROGRAMS.iter().find(|program| program.0.contains(&name))
    }

    /// The kind of backup that these arguments start; `None`: they start none.
    pub fn started_by(&self, arguments: &[String]) -> Option<Kind> {
        let Self(_, starts, kind) = self;
        let is_one = match starts {
            Starts::Unless(short, long) => has_rows(arguments, short, long),
            Starts::With(these, others) => {
                let known = |word: &&String| {
                    these.contains(&word.as_str())
                        || others.split(' ').any(|other| other == word.as_str())
                };
                let first = arguments.iter().find(known)?;
                these.contains(&first.as_str())
            }
        };
        is_one.then_some(*kind)
    }
}

/// Whether no argument is one of these options, or one asks for the data.
fn has_rows(arguments: &[String], short: &str, long: &[&str]) -> bool {
    // `--section pre-data`
    let pairs = arguments
        .windows(2)
        .map(|pair| format!("{}={}", pair[0], pair[1]));
    let is_data = arguments.iter().any(|a| a.starts_with("--section=data"))
        || pairs.clone().any(|pair| pair == "--section=data");
    let mut all = arguments.iter().cloned().chain(pairs);
    is_data || !all.any(|word| has_option(&word, short, long))
}

/// A program's name without its folder and its version: `/opt/pg_probackup-16`.
#[must_use]
pub fn program_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('-') {
        Some((program, version)) if version.chars().all(|c| c.is_ascii_digit() || c == '.') => {
            program
        }
        _ => name,
    }
}

/// Whether a program is known to make backups.
#[must_use]
pub fn is_backup_program(name: &str) -> bool {
    Program::named(name).is_some() && name != "pgguard"
}

/// The kind of a program's backups; of one that is not known: the one that a migration meets.
#[must_use]
pub fn kind_of(program: &str) -> Kind {
    // As a session calls itself: `pgBackRest`, `WAL-G`.
    let name = program.to_ascii_lowercase();
    match Program::named(&name) {
        Some(Program(.., kind)) => *kind,
        None if program == BackupTool::LowLevelApi.word() => Kind::Physical,
        None => Kind::Logical,
    }
}

/// Whether a program that is known starts a backup with these arguments.
#[must_use]
pub fn is_started_by(program: &str, arguments: &[String]) -> bool {
    Program::named(program).is_some_and(|known| known.started_by(arguments).is_some())
}

/// Whether a word is one of these options: a long one (`--table`, `--table=orders`), or a letter among short ones
/// up to one with a value.
#[must_use]
pub fn has_option(word: &str, short: &str, long: &[&str]) -> bool {
    if let Some(name) = word.strip_prefix("--") {
        let bare = name.split_once('=').map_or(name, |(bare, _)| bare);
        return long.contains(&name) || long.contains(&bare);
    }
    let Some(letters) = word.strip_prefix('-').filter(|l| !l.contains('=')) else {
        return false;
    };
    for letter in letters.chars() {
        if short.contains(letter) {
            return true;
        }
        if VALUED.contains(letter) {
            return false;
        }
    }
    false
}
