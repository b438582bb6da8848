//! When the next backup starts; and the schedulers' lines that start one: cron's tables and systemd's timers on
//! this machine, pg_cron's jobs on the server.
//!
//! A backup that another machine starts is in the configuration, or in the past runs.

use super::facts::Facts;
use crate::backup::schedule::{AsOf, Line, NextBackup};
use crate::backup::{Kind, kind_of, started_by, started_by_arguments, started_by_sql};
use crate::config::Config;
use crate::model::{BackupRun, Server, Snapshot};
use crate::postgres::cron::Job;
use crate::words::Zone;
use std::path::Path;
use std::process::{Command, Stdio};

/// Tables of the system; their sixth field is the user that the command runs as.
const SYSTEM_TABLES: [&str; 2] = ["/etc/crontab", "/etc/cron.d"];

/// A server that can be asked, and what it looked like.
pub struct Seen<'a> {
    pub facts: &'a mut Facts,
    /// The look at it.
    pub snapshot: &'a Snapshot,
}

/// Which backups are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that a migration meets: no physical ones.
    Logical,
}

impl Which {
    fn has(self, kind: Kind) -> bool {
        self == Self::All || kind == Kind::Logical
    }
}

/// The next backup: as the configuration says, else as past runs began, else by the lines of the schedulers
/// that can be seen, which are asked only then; and what is wrong with lines.
pub async fn next_backup(
    which: Which,
    config: &Config,
    runs: &[BackupRun],
    seen: Option<Seen<'_>>,
    as_of: impl Into<AsOf>,
) -> (Option<NextBackup>, Vec<String>) {
    let as_of = as_of.into();
    let runs = runs.iter().filter(|run| which.has(kind_of(&run.key.tool)));
    let runs: &[BackupRun] = &runs.cloned().collect::<Vec<_>>();
    let (said, mut wrong) = NextBackup::by_lines(&config.lines(), runs, as_of);
    let zones = zones(config.zone(), seen.as_ref().map(|s| &s.snapshot.server));
    if let Some(known) = said.or_else(|| NextBackup::by_past(runs, &zones, as_of)) {
        return (Some(known), wrong);
    }
    let mut found = lines();
    if let Some(seen) = seen {
        let jobs = seen.facts.cron_jobs(seen.snapshot).await;
        found.extend(jobs.iter().filter_map(of_job));
    }
    found.retain(|line| which.has(line.kind));
    let (next, more) = NextBackup::by_lines(&found, runs, as_of);
    wrong.extend(more);
    (next, wrong)
}

/// The line of a job of pg_cron that makes a backup; none of one that runs every few seconds.
fn of_job(job: &Job) -> Option<Line> {
    let fields = job.schedule.split_whitespace().count();
    let is_line = fields == 5 || job.schedule.starts_with('@');
    let kind = started_by_sql(&job.command).filter(|_| is_line)?;
    Some(Line {
        // The last day of the month: `$` is `L` elsewhere.
        cron: job.schedule.replace('$', "L"),
        tz: Some(job.zone.clone()),
        expect: None,
        from: format!("pg_cron's job {}", job.id),
        kind,
    })
}

/// Lines that start a backup, of every scheduler of this machine that can be read.
fn lines() -> Vec<Line> {
    let zone = zone();
    let mut lines = Vec::new();
    if let Some(table) = output("crontab", &["-l"]) {
        lines.extend(of_crontab(&table, Owner::Nobody, "crontab -l", &zone));
    }
    for path in SYSTEM_TABLES.map(Path::new) {
        let files = match std::fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![path.to_owned()],
        };
        for file in files {
            if let Ok(bytes) = std::fs::read(&file) {
                let table = String::from_utf8_lossy(&bytes);
                let from = file.display().to_string();
                lines.extend(of_crontab(&table, Owner::Named, &from, &zone));
            }
        }
    }
    lines.extend(timers());
    lines
}

/// Where the clock may be that past runs began by, the likeliest first: as the configuration says, else where the
/// server is (`log_timezone`, which initdb takes from the system) unless that is kept on UTC, and this machine.
fn zones(configured: Option<Zone>, server: Option<&Server>) -> Vec<Zone> {
    let is_elsewhere = |name: &&String| !["UTC", "Etc/UTC", "GMT"].contains(&name.as_str());
    let named = server.and_then(|server| server.settings.get("log_timezone"));
    let of_server = named
        .filter(is_elsewhere)
        .and_then(|name| name.parse().ok());
    match configured {
        Some(zone) => vec![zone],
        None => of_server.into_iter().chain(zone().parse().ok()).collect(),
    }
}

/// Whether the lines of a table name the user that the command runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// `crontab -l`
    Nobody,
    /// `/etc/crontab`, `/etc/cron.d`
    Named,
}

/// Lines of a crontab(5) whose command makes a backup. `CRON_TZ` changes the zone of those below it.
fn of_crontab(table: &str, owner: Owner, from: &str, zone: &str) -> Vec<Line> {
    let mut zone = zone.to_owned();
    let mut lines = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(named) = line.strip_prefix("CRON_TZ=") {
            named.trim_matches(['"', '\'', ' ']).clone_into(&mut zone);
        }
        let Some((cron, command)) = parts(line, owner) else {
            continue;
        };
        if let Some(kind) = started_by(&command) {
            lines.push(Line {
                cron,
                tz: Some(zone.clone()),
                expect: None,
                from: from.to_owned(),
                kind,
            });
        }
    }
    lines
}

/// When a line of a crontab(5) comes, and its command; `None`: it is a comment, a setting, or tells no time.
fn parts(line: &str, owner: Owner) -> Option<(String, String)> {
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let is_time = line.starts_with(|c: char| c.is_ascii_digit() || "*@".contains(c));
    if !is_time || line.starts_with("@reboot") {
        return None;
    }
    let mut rest = line;
    let mut field = || {
        let (field, more) = rest.split_once(char::is_whitespace)?;
        rest = more.trim_start();
        Some(field)
    };
    let cron: Vec<&str> = (0..fields).map(|_| field()).collect::<Option<_>>()?;
    if owner == Owner::Named {
        field()?;
    }
    Some((cron.join(" "), before_input(rest)))
}

/// A command of a crontab(5) without its input, which begins behind a `%`; `\%` is one of the command's.
fn before_input(command: &str) -> String {
    let mut read = String::new();
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '%' => break,
            '\\' if rest.next_if_eq(&'%').is_some() => read.push('%'),
            c => read.push(c),
        }
    }
    read
}

/// systemd's timers whose unit runs a backup; the answer says when they elapse.
fn timers() -> Vec<Line> {
    let Some(listed) = output(
        "systemctl",
        &["list-timers", "--all", "--output=json", "--no-pager"],
    ) else {
        return Vec::new();
    };
    let Ok(serde_json::Value::Array(timers)) = serde_json::from_str(&listed) else {
        return Vec::new();
    };
    timers
        .iter()
        .filter_map(|timer| {
            let unit = timer.get("activates")?.as_str()?;
            let command = output(
                "systemctl",
                &["show", "--property=ExecStart", "--value", unit],
            )?;
            let micros = timer.get("next")?.as_i64().filter(|&next| next > 0)?;
            let next = chrono::DateTime::from_timestamp_micros(micros)?;
            let kind = commands_of(&command).find_map(started_by_arguments)?;
            Some(Line {
                cron: next.format("%-M %-H %-d %-m *").to_string(),
                tz: None,
                expect: None,
                from: format!("systemd's timer of {unit}"),
                kind,
            })
        })
        .collect()
}

/// The arguments in systemd's `{ path=… ; argv[]=… ; ignore_errors=no ; … }`, one for each ExecStart.
fn commands_of(shown: &str) -> impl Iterator<Item = &str> {
    let commands = shown.split("argv[]=").skip(1);
    commands.map(|command| {
        command
            .split_once(" ; ignore_errors=")
            .map_or(command, |(arguments, _)| arguments)
    })
}

/// This machine's time zone, as cron reads its tables.
fn zone() -> String {
    let named = std::env::var("TZ").ok().filter(|zone| !zone.is_empty());
    let written = || std::fs::read_to_string("/etc/timezone").ok();
    let linked = || {
        let path = std::fs::read_link("/etc/localtime").ok()?;
        let path = path.to_str()?.to_owned();
        path.split_once("zoneinfo/")
            .map(|(_, zone)| zone.to_owned())
    };
    named.or_else(linked).or_else(written).map_or_else(
        || "UTC".into(),
        |zone| zone.trim().trim_start_matches(':').to_owned(),
    )
}

/// What a program prints; `None`: it is not there, or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_pg_cron_that_make_a_backup_are_lines() {
        let line = |schedule: &str, command: &str| {
            of_job(&Job {
                id: 7,
                schedule: schedule.into(),
                command: command.into(),
                zone: "GMT".into(),
            })
        };
        let dump = "COPY (SELECT 1) TO PROGRAM '/usr/bin/pg_dump -Fc shop -f /backup/shop'";
        let found = line("0 3 * * *", dump).unwrap();
        assert_eq!(
            (found.cron.as_str(), found.tz.as_deref()),
            ("0 3 * * *", Some("GMT"))
        );
        assert_eq!(line("0 3 $ * *", dump).unwrap().cron, "0 3 L * *");
        let now: chrono::DateTime<chrono::Utc> = "2026-11-04T15:00:00Z".parse().unwrap();
        let last = NextBackup::by_line(&line("0 3 $ * *", dump).unwrap(), &[], now).unwrap();
        assert_eq!(last.starts.to_rfc3339(), "2026-11-30T03:00:00+00:00");
        assert_eq!(line("30 seconds", dump), None);
        assert_eq!(line("0 3 * * *", "VACUUM"), None);
    }

    #[test]
    fn lines_that_start_a_backup_are_found_in_a_crontab() {
        let table = "MAILTO=root\n# 0 1 * * * pg_dump old\n0 15 * * * postgres pg_dump -Fc shop > /backup/$(date +\\%F)\n\
                     */5 * * * * www php cron.php\nCRON_TZ=\"Europe/Berlin\"\n\
                     @daily root pgguard backups record -- backup.sh\n\
                     @reboot root pg_basebackup\n\
                     0 4 * * * root cat%pg_dump shop\n\
                     0 5 * * * root pg_basebackup -D /backup\n\
                     MAILTO=\"pg_dump@x\"\n\
                     PGDUMP=pg_dump shop\n\
                     * * * * * barman [ -x /usr/bin/barman ] && /usr/bin/barman -q cron\n\
                     0 6 * * * pg_dump true\n\
                     0 3 * * * root find /backup/pg_dump.old -delete\n";
        let found = of_crontab(table, Owner::Named, "/etc/cron.d/backup", "UTC");
        let found: Vec<_> = found
            .iter()
            .map(|line| (line.cron.as_str(), line.tz.as_deref().unwrap(), line.kind))
            .collect();
        assert_eq!(
            found,
            [
                ("0 15 * * *", "UTC", Kind::Logical),
                ("@daily", "Europe/Berlin", Kind::Logical),
                ("0 5 * * *", "Europe/Berlin", Kind::Physical)
            ]
        );
        let own = of_crontab("0 6 * * * pg_dump shop", Owner::Nobody, "crontab -l", "UTC");
        assert_eq!(own.len(), 1);
    }

    #[test]
    fn what_a_unit_of_systemd_runs_is_read() {
        let shown = "{ path=/usr/bin/test ; argv[]=/usr/bin/test -x /usr/bin/pg_dump ; ignore_errors=no ; start_time=[n/a] }\n\
                     { path=/bin/sh ; argv[]=/bin/sh -c pg_dump shop | gzip > x ; ignore_errors=no ; start_time=[n/a] }";
        let read: Vec<_> = commands_of(shown).map(started_by_arguments).collect();
        assert_eq!(read, [None, Some(Kind::Logical)]);
    }
}
