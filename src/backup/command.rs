//! Which command lines start a backup, and what kind of one.
//!
//! The programs that make backups do other things too, and far more often: `barman cron` runs each minute. So
//! one row tells of each program what starts one.

use super::shell::{self, Words};
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
type Row = (&'static [&'static str], Starts, Kind);

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

const PROGRAMS: [Row; 12] = [
    (&["pg_dump"], Starts::Unless("sV?", NO_ROWS), Kind::Logical),
    (
        &["pg_dumpall"],
        Starts::Unless("sgrtV?", NO_ROWS),
        Kind::Logical,
    ),
    (
        &["pg_basebackup", "barman-cloud-backup"],
        Starts::Unless("V?", &["help", "version"]),
        Kind::Physical,
    ),
    (
        &["pgbackrest"],
        Starts::With(
            &["backup"],
            "annotate archive-get archive-push check expire help info manifest repo-get repo-ls \
             repo-put repo-rm restore server server-ping stanza-create stanza-delete \
             stanza-upgrade start stop verify version",
        ),
        Kind::Physical,
    ),
    (
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
    (
        &["wal-g", "wal-g-pg", "wal-e"],
        Starts::With(
            &["backup-push", "catchup-push"],
            "backup-fetch backup-list backup-mark backup-show catchup-fetch catchup-list copy \
             daemon delete flags help pgbackrest st wal-fetch wal-prefetch wal-purge wal-push \
             wal-receive wal-restore wal-show wal-verify",
        ),
        Kind::Physical,
    ),
    (
        &["pg_probackup"],
        Starts::With(
            &["backup", "catchup"],
            "add-instance archive-get archive-push checkdb del-instance delete help init merge \
             restore set-backup set-config show show-config validate version",
        ),
        Kind::Physical,
    ),
    (
        &["pg_rman"],
        Starts::With(&["backup"], "delete init purge restore show validate"),
        Kind::Physical,
    ),
    (
        &["pgmoneta-cli"],
        Starts::With(
            &["backup"],
            "annotate archive clear compress conf decompress decrypt delete encrypt expunge info \
             list-backup ping restore retain shutdown status verify",
        ),
        Kind::Physical,
    ),
    (
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
    (
        &[
            "autopostgresqlbackup",
            "pg_backup.sh",
            "pg_backup_rotated.sh",
        ],
        Starts::Unless("hV", &["help", "version"]),
        Kind::Logical,
    ),
    (
        &["pgguard"],
        Starts::With(&["record"], "export import init"),
        Kind::Logical,
    ),
];

/// Short options of pg_dump and pg_dumpall that take a value: what follows in their word is no option.
const VALUED: &str = "deEfFhjlnNpStTUZ";

/// A program that runs another one: its names, its short options with a value, its words before the command.
type Wrapper = (&'static [&'static str], &'static str, usize);

const WRAPPERS: [Wrapper; 13] = [
    (
        &[
            "nohup",
            "setsid",
            "exec",
            "time",
            "eatmydata",
            "chronic",
            "cronic",
            "run-one",
            "command",
            "!",
            "if",
            "then",
            "else",
            "elif",
            "do",
            "while",
            "until",
            "{",
            "busybox",
            "faketime",
            "unbuffer",
        ],
        "",
        0,
    ),
    (&["nice"], "n", 0),
    (&["ionice"], "cnpPu", 0),
    (&["timeout", "gtimeout"], "ks", 1),
    (
        &[
            "chrt",
            "taskset",
            "chroot",
            "envdir",
            "gosu",
            "su-exec",
            "setuidgid",
        ],
        "",
        1,
    ),
    (&["flock"], "wE", 1),
    (&["env"], "uCS", 0),
    (&["sudo", "doas"], "ugUpCTrtDRh", 0),
    (&["chpst"], "uUbemdoplfct/", 0),
    (&["xargs"], "nPILdEsa", 0),
    (&["stdbuf"], "ioe", 0),
    (&["systemd-run"], "pEuHMCG", 0),
    (
        &[
            "systemd-cat",
            "systemd-inhibit",
            "cgexec",
            "trickle",
            "cpulimit",
            "lockrun",
        ],
        "tpgudlL",
        0,
    ),
];

/// Long options with a value in the next word.
const VALUED_LONG: [&str; 18] = [
    "user",
    "group",
    "adjustment",
    "class",
    "classdata",
    "kill-after",
    "signal",
    "wait",
    "timeout",
    "unset",
    "chdir",
    "host",
    "property",
    "unit",
    "setenv",
    "name",
    "network",
    "env-file",
];

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "rbash"];

/// ssh's short options with a value.
const SSH: &str = "bcDEeFIiJLlmOopQRSWwBP";

/// Programs that run a command elsewhere, once a word says so.
const CONTAINERS: [&str; 8] = [
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "podman-compose",
    "kubectl",
    "oc",
    "lxc",
];

/// Their options with a value; `-i` and `-t` have none.
const CONTAINER: &str = "euwvpmhlcnf";

/// Programs that run what stands behind their `--`.
const BEHIND_DASHES: [&str; 9] = [
    "runitor",
    "aws-vault",
    "op",
    "doppler",
    "chamber",
    "infisical",
    "tini",
    "dumb-init",
    "cronitor",
];

/// Nobody wraps deeper than this on purpose.
const DEEPEST: usize = 12;

/// What kind of backup a line of shell starts; `None`: none. One that a migration meets counts for more.
#[must_use]
pub fn started_by(line: &str) -> Option<Kind> {
    of_text(line, 0)
}

/// The same of a program's arguments, of which spaces within an argument are not told from those between two:
/// so systemd shows them.
#[must_use]
pub fn started_by_arguments(line: &str) -> Option<Kind> {
    let words: Words = line.split_whitespace().map(str::to_owned).collect();
    match words.iter().position(|word| is_one(&SHELLS, word)) {
        Some(shell) => {
            let text = words[shell..]
                .iter()
                .position(|word| is_cluster(word, 'c'))?;
            started_by(
                words[shell + text + 1..]
                    .join(" ")
                    .trim_matches(['"', '\'']),
            )
        }
        None => of_words(&words, 0),
    }
}

/// A backup that SQL starts: `COPY … TO PROGRAM 'pg_dump …'`.
#[must_use]
pub fn started_by_sql(sql: &str) -> Option<Kind> {
    let upper = sql.to_ascii_uppercase();
    let programs = upper.match_indices("PROGRAM").filter_map(|(at, word)| {
        let rest = sql[at + word.len()..].trim_start();
        let rest = rest.trim_start_matches(['E', 'e', '$']);
        let rest = rest
            .strip_prefix('\'')
            .unwrap_or(rest)
            .replace("''", "\u{1}");
        let end = rest.find(['\'', ';']).unwrap_or(rest.len());
        started_by(&rest[..end].replace('\u{1}', "'"))
    });
    strongest(programs)
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
    PROGRAMS.iter().any(|(names, ..)| names.contains(&name)) && name != "pgguard"
}

/// The kind of a program's backups; of one that is not known: the one that a migration meets.
#[must_use]
pub fn kind_of(program: &str) -> Kind {
    // As a session calls itself: `pgBackRest`, `WAL-G`.
    let name = program.to_ascii_lowercase();
    let row = PROGRAMS
        .iter()
        .find(|(names, ..)| names.contains(&name.as_str()));
    match row {
        Some((.., kind)) => *kind,
        None if program == BackupTool::LowLevelApi.word() => Kind::Physical,
        None => Kind::Logical,
    }
}

fn strongest(kinds: impl Iterator<Item = Kind>) -> Option<Kind> {
    kinds.min_by_key(|kind| *kind as u8)
}

fn of_text(text: &str, depth: usize) -> Option<Kind> {
    let commands = shell::commands(text);
    strongest(commands.iter().filter_map(|words| of_words(words, depth)))
}

fn is_one(names: &[&str], word: &str) -> bool {
    names.contains(&program_name(word))
}

/// Whether a word holds this short option: `-c`, `-lc`.
fn is_cluster(word: &str, option: char) -> bool {
    let letters = word.strip_prefix('-');
    letters.is_some_and(|l| !l.starts_with('-') && l.contains(option))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

/// What one command starts, behind everything that is only put before it.
fn of_words(words: &[String], depth: usize) -> Option<Kind> {
    let start = words.iter().position(|word| !is_assignment(word))?;
    let (program, arguments) = words[start..].split_first()?;
    let name = program_name(program);
    if depth > DEEPEST {
        return None;
    }
    if let Some((_, starts, kind)) = PROGRAMS.iter().find(|(names, ..)| names.contains(&name)) {
        return of_program(name, starts, *kind, arguments, depth);
    }
    if let Some((_, valued, before)) = WRAPPERS.iter().find(|(names, ..)| names.contains(&name)) {
        let looks_up = name == "command"
            && arguments
                .first()
                .is_some_and(|a| is_cluster(a, 'v') || is_cluster(a, 'V'));
        let rest = behind_options(arguments, valued, *before);
        // `flock FILE -c 'TEXT'`
        return match rest {
            _ if looks_up => None,
            [c, text, ..] if c == "-c" || c == "--command" => of_text(text, depth + 1),
            rest => of_words(rest, depth + 1),
        };
    }
    match name {
        _ if SHELLS.contains(&name) => {
            let text = arguments.iter().position(|word| is_cluster(word, 'c'))?;
            of_text(arguments.get(text + 1)?, depth + 1)
        }
        "su" | "runuser" => {
            let asks = |word: &String| is_cluster(word, 'c') || word == "--command";
            let text = arguments.iter().position(asks);
            let inline = arguments.iter().find_map(|a| a.strip_prefix("--command="));
            match (text.and_then(|at| arguments.get(at + 1)), inline) {
                (Some(text), _) => of_text(text, depth + 1),
                (None, Some(text)) => of_text(text, depth + 1),
                (None, None) => of_words(behind_options(arguments, "ugGs", 0), depth + 1),
            }
        }
        "ssh" | "sshpass" | "autossh" => {
            of_text(&behind_options(arguments, SSH, 1).join(" "), depth + 1)
        }
        _ if CONTAINERS.contains(&name) => of_words(in_container(arguments), depth + 1),
        _ if BEHIND_DASHES.contains(&name) => {
            let dashes = arguments.iter().position(|word| word == "--")?;
            of_words(&arguments[dashes + 1..], depth + 1)
        }
        _ => None,
    }
}

/// The words behind a program's options and so many of its own words.
fn behind_options<'a>(mut words: &'a [String], valued: &str, mut before: usize) -> &'a [String] {
    while let Some((word, rest)) = words.split_first() {
        if word == "--" {
            return rest.get(before..).unwrap_or_default();
        }
        let takes_next = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(long), _) => VALUED_LONG.contains(&long),
            // The last letter of a word takes the next one.
            (None, Some(letters)) if !letters.is_empty() => letters
                .find(|c| valued.contains(c))
                .is_some_and(|at| at + 1 == letters.len()),
            _ if before > 0 => {
                before -= 1;
                false
            }
            _ => return words,
        };
        let next = if takes_next {
            rest.get(1..)
        } else {
            Some(rest)
        };
        words = next.unwrap_or_default();
        // `flock FILE -c TEXT` is no option of the command's.
        if before == 0 && words.first().is_some_and(|w| w == "-c") && !valued.contains('c') {
            return words;
        }
    }
    words
}

/// What runs in a container: behind `--`, or behind `exec` or `run`, its options and the container's name.
fn in_container(arguments: &[String]) -> &[String] {
    if let Some(dashes) = arguments.iter().position(|word| word == "--") {
        return &arguments[dashes + 1..];
    }
    let runs = |word: &String| word == "exec" || word == "run";
    match arguments.iter().position(runs) {
        Some(at) => behind_options(&arguments[at + 1..], CONTAINER, 1),
        None => &[],
    }
}

fn of_program(
    name: &str,
    starts: &Starts,
    kind: Kind,
    arguments: &[String],
    depth: usize,
) -> Option<Kind> {
    match starts {
        Starts::Unless(short, long) => {
            let is_other = |word: &String| has_option(word, short, long);
            // `--section pre-data`
            let pairs = arguments
                .windows(2)
                .map(|pair| format!("{}={}", pair[0], pair[1]));
            let is_data = arguments.iter().any(|a| a.starts_with("--section=data"))
                || pairs.clone().any(|pair| pair == "--section=data");
            let mut all = arguments.iter().cloned().chain(pairs);
            (is_data || !all.any(|word| is_other(&word))).then_some(kind)
        }
        Starts::With(these, others) => {
            let known = |word: &&String| {
                these.contains(&word.as_str())
                    || others.split(' ').any(|other| other == word.as_str())
            };
            let first = arguments.iter().find(known)?;
            if !these.contains(&first.as_str()) {
                return None;
            }
            // Whatever `pgguard backups record` is wrapped around is a backup.
            let wrapped = || {
                let dashes = arguments.iter().position(|word| word == "--")?;
                of_words(&arguments[dashes + 1..], depth + 1)
            };
            Some(if name == "pgguard" {
                wrapped().unwrap_or(kind)
            } else {
                kind
            })
        }
    }
}

/// Whether a word is one of these options: a long one, or a letter among short ones before one with a value.
fn has_option(word: &str, short: &str, long: &[&str]) -> bool {
    if let Some(name) = word.strip_prefix("--") {
        return long.contains(&name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Logical, Physical};

    /// Lines as people and packages write them (cases/ops/09).
    #[test]
    fn the_subcommand_decides_whether_a_line_starts_a_backup() {
        for (line, expected) in [
            ("[ -x /usr/bin/barman ] && /usr/bin/barman -q cron", None),
            ("barman check main --nagios", None),
            ("barman backup all", Some(Physical)),
            ("sudo -u barman barman backup main", Some(Physical)),
            ("barman-cloud-backup s3://b main", Some(Physical)),
            ("barman-cloud-backup-delete s3://b main", None),
            ("pgbackrest --stanza=main check", None),
            ("pgbackrest --stanza=main expire", None),
            ("pgbackrest info", None),
            ("pgbackrest help backup", None),
            (
                "pgbackrest --stanza=main --type=full backup",
                Some(Physical),
            ),
            ("wal-g wal-push /x", None),
            ("wal-g delete retain FULL 5 --confirm", None),
            (
                "envdir /etc/wal-g.d/env wal-g backup-push /data",
                Some(Physical),
            ),
            ("pg_probackup show -B /backup", None),
            (
                "pg_probackup-16 backup -B /backup --instance x -b FULL",
                Some(Physical),
            ),
            ("pg_dump --schema-only shop", None),
            ("pg_dump -vs shop", None),
            ("pg_dump -s shop", None),
            ("pg_dump -Fc -n sales shop", Some(Logical)),
            ("pg_dump --section=pre-data shop", None),
            ("pg_dump --section data shop", Some(Logical)),
            (
                "pg_dump --section=pre-data --section=data shop",
                Some(Logical),
            ),
            ("pg_dump --version", None),
            ("pg_dumpall --globals-only", None),
            ("pg_dumpall -g | gzip > x", None),
            ("pg_dumpall | gzip > /backup/all.gz", Some(Logical)),
            ("test -x /usr/bin/pg_dump && echo ok", None),
            ("which pg_dump", None),
            ("command -v pg_dump", None),
            ("echo \"pg_dump\"", None),
            ("echo done # pg_dump shop", None),
            ("find /backup/pg_dump -mtime +7 -delete", None),
            ("pgrep pg_dump", None),
            ("cat x > /usr/bin/pg_dump", None),
            (
                "/usr/lib/postgresql/15/bin/pg_dump shop | gzip -c > /b/$(date +%F).gz",
                Some(Logical),
            ),
            ("$(which pg_dump) shop", Some(Logical)),
            (
                "PGPASSWORD=x nice -n 19 ionice -c2 -n7 pg_dump shop",
                Some(Logical),
            ),
            ("flock -n /run/lock/pg_dump rsync -a /a /b", None),
            ("flock -n /tmp/lock pg_dump shop", Some(Logical)),
            (
                "flock /tmp/lock -c 'pg_dump shop | gzip > x'",
                Some(Logical),
            ),
            ("timeout -k 5 2h env PGUSER=a pg_dump shop", Some(Logical)),
            ("sh -c 'pg_dump shop'", Some(Logical)),
            ("bash -lc \"pg_dump shop | gzip\"", Some(Logical)),
            ("bash pg_dump.sh", None),
            ("su - postgres -c \"pg_dump shop\"", Some(Logical)),
            ("runuser -u postgres -- pg_dump shop", Some(Logical)),
            ("ssh -i key db1 pg_dump shop", Some(Logical)),
            ("ssh db1 'pg_dump -s shop'", None),
            ("kubectl -n prod exec db-0 -- pg_dump shop", Some(Logical)),
            (
                "kubectl exec -n prod db-0 -c pg -- sh -c 'pg_dump shop'",
                Some(Logical),
            ),
            ("docker exec -u postgres db pg_dumpall", Some(Logical)),
            (
                "docker compose -f x.yml exec -T db pg_dump shop",
                Some(Logical),
            ),
            (
                "docker run --rm --network host -e PGPASSWORD=x postgres:16 pg_dump shop",
                Some(Logical),
            ),
            ("docker ps", None),
            (
                "for db in a b; do pg_dump $db > /b/$db; done",
                Some(Logical),
            ),
            ("pg_back -c /etc/pg_back.conf", Some(Logical)),
            ("/usr/sbin/autopostgresqlbackup", Some(Logical)),
            ("pgguard backups record -- backup.sh", Some(Logical)),
            (
                "pgguard backups record -- pg_basebackup -D x",
                Some(Physical),
            ),
            ("pgguard backups export", None),
            ("pg_basebackup -D /x; pg_dump shop", Some(Logical)),
            ("", None),
        ] {
            assert_eq!(started_by(line), expected, "{line}");
        }
    }

    #[test]
    fn arguments_without_quotes_and_programs_that_sql_runs_are_read() {
        let of = started_by_arguments;
        assert_eq!(of("/usr/bin/pg_dump -Fc shop -f /b/shop"), Some(Logical));
        assert_eq!(
            of("/bin/sh -c pg_dump -Fc shop | gzip > /b/shop"),
            Some(Logical)
        );
        assert_eq!(of("/bin/bash -c test -x /usr/bin/pg_dump && echo ok"), None);
        assert_eq!(of("/usr/bin/barman -q cron"), None);
        assert_eq!(
            started_by_sql("COPY (SELECT 1) TO PROGRAM '/usr/bin/pg_dump -Fc shop -f ''/b/s'''"),
            Some(Logical)
        );
        assert_eq!(started_by_sql("copy t from program 'echo pg_dump'"), None);
        assert_eq!(started_by_sql("SELECT note('pg_dump')"), None);
        assert_eq!(started_by_sql("VACUUM"), None);
    }
}
