//! Runs the command in its private world.

use super::begun;
use super::copy::{self, Copy};
use super::{Wanted, schema::Schema};
use crate::door;
use crate::safe::masked_command;
use crate::throwaway::Scratch;
use crate::world::{self, Begun, Plan, REFUSED, SESSIONS};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// With this status.
    Ended(i32),
    /// It took too long, and was ended.
    TookTooLong,
}

/// What every Postgres of the world is found at, besides the ports that production and the environment name.
const USUAL_PORTS: [u16; 4] = [5432, 5433, 6432, 6543];

/// Whether a private world can be had.
///
/// # Errors
/// It cannot; the message says why and what to do.
pub fn probe(wanted: &Wanted) -> Result<()> {
    let scratch = Scratch::new()?;
    let plan = plan(wanted, &scratch)?;
    let mut child = plan
        .command(&["true".to_owned()])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| no_world(&error.to_string()))?;
    // Waiting would close it, and that ends the world.
    let pipe = child.stdin.take();
    let status = child.wait().map_err(|error| no_world(&error.to_string()))?;
    drop(pipe);
    if status.success() {
        return Ok(());
    }
    let why = std::fs::read_to_string(scratch.path().join(REFUSED));
    Err(no_world(&why.unwrap_or_else(|_| status.to_string())))
}

/// A world without a server, served from outside where it may reach something there.
fn plan(wanted: &Wanted, scratch: &Scratch) -> Result<Plan> {
    let folder = scratch.path().to_owned();
    let known = ports(wanted);
    if let Some(port) = wanted.network.iter().find(|port| known.contains(port)) {
        return Err(Error::Usage(format!(
            "port {port} leads to the copy of the database: it cannot be opened by --network"
        )));
    }
    if wanted.network.contains(&0) || wanted.network.contains(&53) {
        return Err(Error::Usage(
            "--network takes TCP ports; host names are resolved with it, too".into(),
        ));
    }
    if !wanted.network.is_empty() {
        world::serve(&folder, &wanted.network).map_err(|error| no_world(&error.to_string()))?;
    }
    Ok(Plan {
        folder: Some(folder),
        network: wanted.network.clone(),
        writable: writable(),
        ..Plan::default()
    })
}

/// Where a command may write: its project (the whole work tree of Git), temporary files, its user's own folders.
fn writable() -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let tree = here.ancestors().find(|folder| folder.join(".git").exists());
    let fixed = ["/tmp", "/var/tmp", "/dev", "/proc"].map(PathBuf::from);
    let named = ["HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"].map(std::env::var_os);
    let named = named.into_iter().flatten().map(PathBuf::from);
    let own = [tree.unwrap_or(&here).to_owned(), std::env::temp_dir()];
    // A service's account may have `/` for its home.
    let named = named.filter(|folder| folder.is_absolute() && folder.parent().is_some());
    own.into_iter().chain(fixed).chain(named).collect()
}

fn no_world(why: &str) -> Error {
    Error::Program {
        program: "the command where it cannot reach production".into(),
        why: why.to_owned(),
        help: "allow user namespaces (in a container: --security-opt seccomp=unconfined, or --privileged), use \
               another machine, or say --unconfined where nothing of the command's can reach production"
            .into(),
    }
}

/// Runs it, and waits. What it prints goes to standard error: standard output is pgguard's.
///
/// # Errors
/// It cannot be started.
pub async fn run(
    wanted: &Wanted,
    copy: &Copy,
    schema: &Schema,
    command: &[String],
) -> Result<(Ran, Vec<Begun>)> {
    let scratch = Scratch::new()?;
    let plan = Plan {
        server: Some(copy.socket()),
        ports: ports(wanted),
        folders: copy::sockets_of(wanted),
        ..plan(wanted, &scratch)?
    };
    let mut confined = if wanted.unconfined {
        unconfined(wanted, copy, schema, command)
    } else {
        plan.command(command)
    };
    let failed = |error: std::io::Error| Error::Program {
        program: masked_command(command).join(" "),
        why: error.to_string(),
        help: "is it in PATH?".into(),
    };
    let child = confined
        .env("PATH", path_with(copy))
        .env("PGGUARD_REHEARSAL", "1")
        .stdin(Stdio::piped())
        .stdout(door::to_errors())
        .spawn()
        .map_err(failed)?;
    let ran = until_ended(child, wanted.limit).await.map_err(failed)?;
    match std::fs::read_to_string(scratch.path().join(REFUSED)) {
        Ok(why) => Err(no_world(&why)),
        Err(_) => {
            let ran = ran.map_or(Ran::TookTooLong, |status| Ran::Ended(code_of(status)));
            Ok((ran, begun::read(&said(&scratch))))
        }
    }
}

/// Runs the command of the shell that completes the schema.
///
/// # Errors
/// It fails.
pub async fn prepare(wanted: &Wanted, copy: &Copy, schema: &Schema, prepare: &str) -> Result<()> {
    let command = ["/bin/sh", "-c", prepare].map(str::to_owned);
    match run(wanted, copy, schema, &command).await?.0 {
        Ran::Ended(0) => Ok(()),
        Ran::Ended(status) => Err(Error::Program {
            program: "the command of --prepare".into(),
            why: format!("it ended with {status}"),
            help: "what it printed says why".into(),
        }),
        Ran::TookTooLong => Err(too_long(wanted)),
    }
}

/// The command took too long.
pub fn too_long(wanted: &Wanted) -> Error {
    Error::Timeout {
        seconds: wanted.limit.as_secs_f64(),
        stage: "the command ran on the copy".into(),
        help: "it may wait for itself, or for something that is not there; try a longer \
               --command-timeout"
            .into(),
    }
}

/// The installation's programs come first: a framework that dumps the schema needs those of the server's version.
fn path_with(copy: &Copy) -> std::ffi::OsString {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let own = copy.server.binaries().folder().to_owned();
    let all = std::iter::once(own).chain(std::env::split_paths(&usual));
    std::env::join_paths(all).unwrap_or(usual)
}

/// In everybody's world, with an environment that leads to the copy.
fn unconfined(wanted: &Wanted, copy: &Copy, schema: &Schema, command: &[String]) -> Command {
    let (name, arguments) = command
        .split_first()
        .map_or(("true", &[][..]), |(n, a)| (n.as_str(), a));
    let mut unconfined = Command::new(name);
    let user = &wanted.target.user;
    unconfined
        .args(arguments)
        .envs(copy.server.env())
        .env("PGUSER", user)
        .env("PGDATABASE", &schema.database)
        .env("DATABASE_URL", copy.server.url_as(user, &schema.database));
    unconfined
}

/// Production's ports, the usual ones, and those that URLs in the environment name.
fn ports(wanted: &Wanted) -> Vec<u16> {
    let mut ports: BTreeSet<u16> = USUAL_PORTS.into_iter().collect();
    ports.extend(wanted.target.endpoints.iter().map(|endpoint| endpoint.port));
    ports.extend(&wanted.ports);
    for (name, value) in std::env::vars() {
        if name == "PGPORT" || name.ends_with("_PORT") && name.contains("DB") {
            ports.extend(value.parse::<u16>());
        }
        if value.contains("postgres") && value.contains("://") {
            ports.extend(ports_in(&value));
        }
    }
    ports.remove(&0);
    ports.remove(&53);
    ports.into_iter().collect()
}

/// Numbers after a colon.
fn ports_in(text: &str) -> impl Iterator<Item = u16> {
    text.split(':').filter_map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

/// A command that runs: gone when dropped.
struct Running {
    child: Child,
    /// Confined, it ends when this closes.
    pipe: Option<ChildStdin>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        drop(self.pipe.take());
        std::thread::sleep(Duration::from_millis(200));
        // Confined, the pipe has ended it; unconfined, this does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None`: it took too long.
async fn until_ended(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let pipe = child.stdin.take();
    let mut running = Running { child, pipe };
    let begun = Instant::now();
    loop {
        if let Some(status) = running.child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > limit {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What the world has written down of its sessions; unconfined, there is nothing.
fn said(scratch: &Scratch) -> String {
    std::fs::read_to_string(scratch.path().join(SESSIONS)).unwrap_or_default()
}

fn code_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_off_urls() {
        let ports: Vec<u16> = ports_in("postgres://u:p@h:25060/db").collect();
        assert_eq!(ports, [25060]);
    }
}
