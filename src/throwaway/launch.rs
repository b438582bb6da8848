//! How a throw-away server begins: its settings, and the script that runs it and ends it when we do.

use super::account::Account;
use super::binaries::Binaries;
use super::folder::Folder;
use super::options::Options;
use super::template;
use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs `initdb` and the server, and ends them when we do.
const SUPERVISE: &str = concat!(include_str!("sums.sh"), include_str!("supervise.sh"));

/// Keeps a data directory with something loaded into it.
pub(super) const KEEP: &str = concat!(include_str!("sums.sh"), include_str!("keep.sh"));

/// A throw-away server keeps nothing, so it need not be careful; and it can do all that
/// pgguard wants to show: prepared transactions, base backups, many sessions.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_prepared_transactions", "20"),
    ("password_encryption", "scram-sha-256"),
    ("listen_addresses", "127.0.0.1"),
    ("lc_messages", "C"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// What a data directory comes from.
#[derive(Debug)]
pub(super) struct Origin {
    /// Those of initdb.
    arguments: Vec<String>,
    /// Where one is kept as initdb makes it; `None`: it is made.
    template: Option<PathBuf>,
    /// Where one is kept, or may be, with something loaded into it.
    pub kept: Option<PathBuf>,
}

impl Origin {
    pub fn of(binaries: &Binaries, account: Account, superuser: &str, options: &Options) -> Self {
        let own = [
            "-U",
            superuser,
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ];
        let own = own.map(str::to_owned).into_iter();
        let arguments: Vec<String> = own.chain(options.initdb.iter().cloned()).collect();
        let place = |loaded| template::place(binaries, account, &arguments, loaded);
        Self {
            template: options.from_template.then(|| place(None)).flatten(),
            kept: options.kept.as_deref().and_then(|name| place(Some(name))),
            arguments,
        }
    }
}

/// The supervisor, in a process group of its own: Ctrl-C is for us, and the server follows.
pub(super) fn supervisor(
    binaries: &Binaries,
    account: Account,
    folder: &Path,
    origin: &Origin,
    options: &Options,
) -> Command {
    let mut command = match options.within.split_first() {
        None => account.command("/bin/sh"),
        Some((program, words)) => {
            let mut command = account.command(program);
            command.args(words).arg("/bin/sh");
            command
        }
    };
    for name in foreign_settings() {
        command.env_remove(name);
    }
    command
        .args(["-c", SUPERVISE, "pgguard-throwaway"])
        .args([folder, binaries.folder()])
        .arg(origin.template.as_deref().unwrap_or_else(|| "".as_ref()))
        .arg(origin.kept.as_deref().unwrap_or_else(|| "".as_ref()))
        .args(&origin.arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

/// Writes what the supervisor copies into the data directory.
pub(super) fn lay_out(folder: &Folder, port: u16, options: &Options) -> std::io::Result<()> {
    let ours = SETTINGS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let place = [
        ("port".to_owned(), port.to_string()),
        (
            "unix_socket_directories".to_owned(),
            folder.path().display().to_string(),
        ),
    ];
    let settings: String = ours
        .chain(place)
        .chain(options.settings.iter().cloned())
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
        .collect();
    // The folder keeps everybody else from the socket, so it needs no password.
    let ours = [
        "local all all trust",
        "local replication all trust",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host replication all 127.0.0.1/32 scram-sha-256",
    ];
    let mut hba = options.hba.join("\n");
    hba.push('\n');
    hba.push_str(&ours.join("\n"));
    hba.push('\n');
    folder.write("settings.conf", &settings)?;
    folder.write("pg_hba.conf", &hba)
}

pub(super) fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Variables of the environment that would lead libpq elsewhere.
pub(super) fn foreign_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name == "DATABASE_URL" || (name.starts_with("PG") && !name.starts_with("PGGUARD"))
    })
}
