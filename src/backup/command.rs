//! Which command lines start a backup, and what kind of one: what is put before the program is read through.

use super::programs::{Kind, Program, program_name};
use super::shell::{self, Words};
use super::wrappers::{
    BEHIND_DASHES, CONTAINERS, SHELLS, SSH, WRAPPERS, behind_options, in_container, is_cluster,
};

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
    if let Some(program) = Program::named(name) {
        return program.started_by(arguments).map(|kind| match name {
            // Whatever `pgguard backups record` is wrapped around is a backup.
            "pgguard" => behind_dashes(arguments, depth).unwrap_or(kind),
            _ => kind,
        });
    }
    if let Some((_, valued, before)) = WRAPPERS.iter().find(|(names, ..)| names.contains(&name)) {
        let looks_up = name == "command"
            && arguments
                .first()
                .is_some_and(|a| is_cluster(a, 'v') || is_cluster(a, 'V'));
        return match behind_options(arguments, valued, *before) {
            _ if looks_up => None,
            // `flock FILE -c 'TEXT'`
            [c, text, ..] if c == "-c" || c == "--command" => of_text(text, depth + 1),
            rest => of_words(rest, depth + 1),
        };
    }
    match name {
        _ if SHELLS.contains(&name) => {
            let text = arguments.iter().position(|word| is_cluster(word, 'c'))?;
            of_text(arguments.get(text + 1)?, depth + 1)
        }
        "su" | "runuser" => of_su(arguments, depth),
        "ssh" | "sshpass" | "autossh" => {
            of_text(&behind_options(arguments, SSH, 1).join(" "), depth + 1)
        }
        _ if CONTAINERS.contains(&name) => of_words(in_container(arguments), depth + 1),
        _ if BEHIND_DASHES.contains(&name) => behind_dashes(arguments, depth),
        _ => None,
    }
}

fn of_su(arguments: &[String], depth: usize) -> Option<Kind> {
    let asks = |word: &String| is_cluster(word, 'c') || word == "--command";
    let text = arguments.iter().position(asks);
    let inline = arguments.iter().find_map(|a| a.strip_prefix("--command="));
    match (text.and_then(|at| arguments.get(at + 1)), inline) {
        (Some(text), _) => of_text(text, depth + 1),
        (None, Some(text)) => of_text(text, depth + 1),
        (None, None) => of_words(behind_options(arguments, "ugGs", 0), depth + 1),
    }
}

fn behind_dashes(arguments: &[String], depth: usize) -> Option<Kind> {
    let dashes = arguments.iter().position(|word| word == "--")?;
    of_words(&arguments[dashes + 1..], depth + 1)
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
