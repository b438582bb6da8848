//! What every command's help and man page say beyond its options.

use super::around::Reads::{Colours, Config, Github, History, Installation, Schedulers, Server};
use super::page::Page;

/// Options that are first in several commands.
const DATABASE: (&str, &str) = ("dbname", "Database, URL or key=value string");
const FORMAT: (&str, &str) = ("format", "text or json");
const TOOL: (&str, &str) = ("tool", "Read it as this tool does (flyway, sqlx, goose…)");
const HISTORY: (&str, &str) = ("history", "A SQLite file, or a postgres:// URL");

/// How a command exits that only looks.
const LOOKED: &[(&str, &str)] = &[("0", "it looked"), ("2", "it could not look")];

/// How a command exits that only writes a text.
const WRITTEN: &[(&str, &str)] = &[("0", "written"), ("2", "it cannot be written")];

/// Every page, in the order of the commands.
pub const PAGES: &[Page] = &[
    Page {
        path: "",
        first: &[],
        status: &[(
            "0 to 3",
            "as the command's own page says; nothing is 0 on doubt",
        )],
        reads: &[Server, History, Colours],
        examples: &[(
            "pgguard gate migrations/0057.sql && ./migrate",
            "Migrate only where nothing is in the way",
        )],
        notes: &[
            "Connection options are libpq's: -h -p -U -d, a URL or key=value string, and its environment.",
        ],
    },
    Page {
        path: "status",
        first: &[
            ("watch", "A live screen, refreshed this often [default: 1s]"),
            ("at", "What was seen at this time of the last hour"),
            ("all", "Idle sessions and the server's own processes too"),
            DATABASE,
            ("format", "text, json, html or markdown [default: text]"),
        ],
        status: LOOKED,
        reads: &[Server, History, Colours],
        examples: &[
            ("pgguard status", "Who is connected, who waits behind whom"),
            (
                "pgguard status --watch -d shop",
                "The same as a live screen",
            ),
            (
                "pgguard status --at 03:15",
                "What somebody's look saw at that time",
            ),
            (
                "pgguard status --record incident.json",
                "Keep what was seen, to look at it later with --replay",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "gate",
        first: &[
            ("wait", "Wait up to this long until it is clear"),
            TOOL,
            ("format", "text, json, html, markdown, github, junit…"),
            DATABASE,
            ("target", "A further server: NAME=URL; may be given often"),
        ],
        status: &[
            ("0", "clear"),
            ("1", "would block"),
            ("2", "cannot tell; never 0 on doubt"),
            (
                "130, 143, 141",
                "stopped by Ctrl-C, by SIGTERM, or because its output was closed",
            ),
        ],
        reads: &[Server, History, Config, Github, Colours, Schedulers],
        examples: &[
            (
                "pgguard gate migrations/0057.sql && ./migrate",
                "Migrate only where nothing is in the way",
            ),
            (
                "pgguard gate --wait 30m migrations/ && ./migrate",
                "Wait for the right moment",
            ),
            (
                "python manage.py sqlmigrate shop 57 | pgguard gate -",
                "What a framework would run",
            ),
            (
                "pgguard gate migrations/0057.sql --at +10m",
                "Is it safe in ten minutes? A guess, which never exits with 0",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "explain",
        first: &[
            TOOL,
            (
                "transaction",
                "A transaction a statement, a file or the run",
            ),
            FORMAT,
            DATABASE,
            ("replay", "Read from a recording instead of a server"),
        ],
        status: &[
            ("0", "explained"),
            ("2", "the migration or the catalog cannot be read"),
        ],
        reads: &[Server, Colours],
        examples: &[
            (
                "pgguard explain migrations/0057.sql",
                "Which locks, on what, and why",
            ),
            (
                "pgguard explain --format json migrations/",
                "The same for programs",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "check",
        first: &[
            ("mode", "What to check [default: lock-wait]"),
            ("warning", "Warn outside this range"),
            ("critical", "Alarm outside this range"),
            ("host", "Server's host, or the folder of its socket"),
            DATABASE,
        ],
        status: &[
            ("0", "OK"),
            ("1", "WARNING"),
            ("2", "CRITICAL"),
            ("3", "UNKNOWN (it could not look, or bad usage)"),
        ],
        reads: &[Server, History],
        examples: &[],
        notes: &[
            "Ranges: 10 alerts below 0 or above 10; 10: below 10; ~:10 above 10; 10:20 outside; @10:20 inside.",
        ],
    },
    Page {
        path: "kill",
        first: &[
            ("blocking", "Instead of a pid: those in the way of this"),
            ("prepared", "Instead of a pid: a prepared transaction"),
            ("yes", "Do not ask; names the session: PID@START"),
            ("cancel", "Only cancel its statement"),
            DATABASE,
        ],
        status: &[
            ("0", "gone"),
            ("1", "still there, or it changed"),
            ("2", "it could not look or act"),
        ],
        reads: &[Server, History, Colours],
        examples: &[
            (
                "pgguard kill 4711",
                "Show who it is and what ending it costs, ask, end it",
            ),
            (
                "pgguard kill --blocking migrations/0057.sql",
                "Those in the way of a migration, one after the other",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "run",
        first: &[
            ("gate", "What the command will run, as SQL files"),
            ("wait", "Wait up to this long until it is clear"),
            ("tries", "Start it up to N times, where that is safe"),
            ("then", "After success: a shell command, a restart"),
            (
                "maintenance_page",
                "A page in this file while the command runs",
            ),
        ],
        status: &[
            ("the command's own", "it was started"),
            ("75", "not started: in the way, running, unknown"),
            ("76", "it succeeded, and a hook after it failed"),
            ("2", "bad usage"),
            (
                "128 and the signal's number",
                "it was stopped by a signal; first its sessions are cancelled, then the command is ended",
            ),
        ],
        reads: &[Server, History, Config, Github],
        examples: &[
            (
                "pgguard run --wait 30m -- bin/rails db:migrate",
                "Wait, run it, and make way for others",
            ),
            (
                "pgguard run --gate db/0057.sql -- psql -f db/0057.sql",
                "With the gate on its SQL",
            ),
            (
                "pgguard run --attach",
                "After a lost connection: see the newest run, and follow it",
            ),
        ],
        notes: &[
            "The command runs in a session of its own: it outlives the terminal. Its sessions in the database are called \
             pgguard:RUN; no other session is ever signalled.",
            "When others wait behind it for longer than --max-queue, its statement is cancelled, never theirs.",
            "--maintenance-page is removed however the run ends: by pgguard, by its guard where pgguard is killed, \
             by the next run where both are.",
        ],
    },
    Page {
        path: "backups",
        first: &[
            ("last", "At most this many past runs [default: 20]"),
            ("sample", "Read a few rows for a better estimate"),
            ("config", "The backup's schedule, and where runs are kept"),
            FORMAT,
            DATABASE,
        ],
        status: &[("0", "shown"), ("2", "the history cannot be read")],
        reads: &[Server, History, Config, Colours, Schedulers],
        examples: &[(
            "pgguard backups record -- pg_dump -Fc -f shop.dump shop",
            "Record a run exactly",
        )],
        notes: &[
            "The next one is told by the configuration's [[backup]] lines, else by the rhythm of past starts, else by \
             this machine's crontabs and systemd timers and the server's pg_cron.",
            "A past run is complete, aborted (its client failed, or its sessions went while they were watched), or its \
             end was unseen: nobody looked when it ended. Only complete ones are compared with.",
        ],
    },
    Page {
        path: "backups record",
        first: &[
            ("host", "Server's host, or the folder of its socket"),
            ("port", "Server's port"),
            ("user", "Role to connect as"),
            DATABASE,
            HISTORY,
        ],
        status: &[
            ("the command's own", "whatever happens to the record"),
            ("126, 127", "the command cannot be run, or is not found"),
        ],
        reads: &[Server, History],
        examples: &[(
            "pgguard backups record -- pg_dump -Fc -f shop.dump shop",
            "In a crontab, before the command",
        )],
        notes: &[],
    },
    Page {
        path: "backups export",
        first: &[HISTORY],
        status: &[
            ("0", "written"),
            ("2", "the history cannot be read, or the file not written"),
        ],
        reads: &[History],
        examples: &[("pgguard backups export runs.json", "All past runs as JSON")],
        notes: &[],
    },
    Page {
        path: "backups import",
        first: &[HISTORY],
        status: &[
            ("0", "added"),
            ("2", "the file cannot be read, or the history not written"),
        ],
        reads: &[History],
        examples: &[(
            "pgguard backups import runs.json",
            "Runs that are there already are not added again",
        )],
        notes: &[],
    },
    Page {
        path: "backups init",
        first: &[HISTORY],
        status: &[("0", "the schema is there"), ("2", "it cannot be made")],
        reads: &[History],
        examples: &[(
            "pgguard backups init --history postgres://ops@db1/ops",
            "A history that machines share",
        )],
        notes: &[],
    },
    Page {
        path: "rehearse",
        first: &[
            ("output", "Write to this file [default: standard output]"),
            ("schema", "The deployed schema, instead of pg_dump"),
            ("also", "A further database that the command uses"),
            (
                "also_port",
                "A further port at which it looks for the server",
            ),
            DATABASE,
        ],
        status: &[
            ("0", "rehearsed, or no migration is pending"),
            ("1", "the command failed on the copy"),
            ("2", "it could not be rehearsed, or never reached the copy"),
        ],
        reads: &[Server, Installation],
        examples: &[
            (
                "pgguard rehearse -d \"$URL\" -o new.sql -- rails db:migrate",
                "What a framework's migrations send",
            ),
            (
                "pgguard gate -d \"$URL\" --rehearse -- rails db:migrate",
                "Rehearse, and judge what was sent",
            ),
        ],
        notes: &[
            "The command runs on a throw-away copy of the schema, in a world of its own in which every address, every \
             host name and every socket of a Postgres server leads to the copy, and everything else nowhere \
             (namespaces of Linux); it writes only in its project, in its home, and temporary files (Landlock). Production is read by one pg_dump of the schema, which takes ACCESS SHARE on its \
             tables for a moment, and never where somebody holds or waits for ACCESS EXCLUSIVE; with --schema it is not.",
        ],
    },
    Page {
        path: "catalog",
        first: &[
            ("output", "Write to this file [default: standard output]"),
            ("count_uses", "Count this long how often tables are used"),
            DATABASE,
        ],
        status: &[("0", "written"), ("2", "it could not look, or write")],
        reads: &[Server],
        examples: &[
            (
                "pgguard catalog -d \"$PRODUCTION\" -o catalog.json",
                "Nightly, by a job that may reach production",
            ),
            (
                "pgguard gate --catalog catalog.json migrations/0057.sql",
                "In a pull request, without it",
            ),
        ],
        notes: &[
            "The file has the rows of the system catalogs (names, types, function bodies, sizes), what a session \
             begins with, and how often tables are used. It has no rows of yours and no query texts.",
        ],
    },
    Page {
        path: "doctor",
        first: &[
            (
                "migrations",
                "Also which of these are half applied, or not recorded",
            ),
            FORMAT,
            DATABASE,
            HISTORY,
        ],
        status: &[
            ("0", "nothing was left behind"),
            ("1", "something was"),
            ("2", "it could not look, or not at all of it"),
        ],
        reads: &[Server, History, Colours],
        examples: &[
            ("pgguard doctor -d shop", "After a deploy that was cut off"),
            (
                "pgguard doctor --migrations db/migrations -d shop",
                "Also what is applied and not recorded",
            ),
            (
                "pgguard doctor --format json | jq -r '.findings[].command'",
                "The commands that end what was found",
            ),
        ],
        notes: &[
            "It changes nothing. What is only worth knowing (a NOT VALID constraint) is shown as a note and does not \
             change the exit status.",
        ],
    },
    Page {
        path: "log",
        first: &[
            ("waits", "Who blocked whom in the last hour"),
            ("last", "At most this many [default: 50]"),
            ("since", "Only what began within this time"),
            ("only", "kill, run or backup"),
            FORMAT,
        ],
        status: &[("0", "shown"), ("2", "the history cannot be read")],
        reads: &[History, Colours],
        examples: &[
            ("pgguard log --since 24h", "What was done since yesterday"),
            (
                "pgguard log --waits",
                "Who blocked whom in the last hour, the worst first",
            ),
            (
                "pgguard log --only kill --format json",
                "Who ended whom, for programs",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "tools",
        first: &[FORMAT],
        status: WRITTEN,
        reads: &[],
        examples: &[("pgguard tools", "Which names --tool takes")],
        notes: &[
            "A tool that reads no folder runs code: give pgguard the SQL that it runs, with --tool NAME for its \
             transactions and locks.",
        ],
    },
    Page {
        path: "demo",
        first: &[
            ("pg", "The server's major version, among those found"),
            ("keep", "Keep the server until Enter is pressed"),
        ],
        status: &[
            ("0", "told to its end"),
            ("2", "no server, or it did not start"),
        ],
        reads: &[Installation, Colours],
        examples: &[(
            "pgguard demo --keep",
            "Keep the server until Enter, to try things by hand",
        )],
        notes: &[],
    },
    Page {
        path: "completions",
        first: &[],
        status: WRITTEN,
        reads: &[],
        examples: &[
            (
                "pgguard completions bash >/etc/bash_completion.d/pgguard",
                "For all users of bash",
            ),
            (
                "pgguard completions zsh >~/.zfunc/_pgguard",
                "For zsh, in a folder of $fpath",
            ),
            (
                "pgguard completions fish >~/.config/fish/completions/pgguard.fish",
                "For fish",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "man",
        first: &[("folder", "Write every page into this folder")],
        status: WRITTEN,
        reads: &[],
        examples: &[
            ("pgguard man gate | man -l -", "Read the page of gate"),
            (
                "pgguard man --folder /usr/local/share/man/man1",
                "Install every page",
            ),
        ],
        notes: &[],
    },
    Page {
        path: "help",
        first: &[("all", "Every option")],
        status: WRITTEN,
        reads: &[],
        examples: &[("pgguard help backups record", "The help of a command")],
        notes: &[],
    },
];

/// The page of a command.
pub fn page(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}
