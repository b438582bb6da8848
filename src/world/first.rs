//! The first process of a world: when it ends, the system ends every other one in there.

use super::outside::WayOut;
use super::plan::{Plan, WORD};
use super::{listen, names, namespaces, relay, sockets};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, wait, waitpid};
use nix::unistd::Pid;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

/// Closes the world, runs the program in it, and waits until it ends; what it left running ends with this process.
pub fn run(plan: &Plan, program: &[String]) -> Result<u8, String> {
    let folder = plan.folder.as_deref().ok_or("the world has no folder")?;
    thread::spawn(end_with_the_pipe);
    sockets::keep_mounts_to_ourselves()?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(|error| format!("/proc cannot be mounted: {error}"))?;
    let inside = relay::inside(folder);
    std::fs::create_dir_all(&inside).map_err(|error| format!("{}: {error}", inside.display()))?;
    sockets::empty(&inside)?;
    let out = match plan.network.is_empty() {
        true => None,
        false => Some(WayOut::open(folder).map_err(|error| format!("no way out: {error}"))?),
    };
    let out = out.map(Arc::new);
    listen::at_all(plan, folder, out.as_ref())?;
    namespaces::close(plan)?;
    names::answer(folder, out)?;
    let child = start(plan, program)?;
    Ok(until_ended(child))
}

/// pgguard has the other end: it is closed when pgguard ends, in whatever way.
fn end_with_the_pipe() {
    let mut byte = [0];
    while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
    std::process::exit(137);
}

/// Starts the program, and says who is who in its user namespace before it goes on.
fn start(plan: &Plan, program: &[String]) -> Result<Pid, String> {
    let last = Plan {
        folder: plan.folder.clone(),
        network: plan.network.clone(),
        writable: plan.writable.clone(),
        ..Plan::default()
    };
    let last = serde_json::to_string(&last).map_err(|error| error.to_string())?;
    let child = Command::new("/proc/self/exe")
        .args([WORD, "step", &last])
        .args(program)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let pid = Pid::from_raw(child.id().cast_signed());
    match waitpid(pid, Some(WaitPidFlag::WUNTRACED)) {
        Ok(WaitStatus::Stopped(..)) => {}
        other => return Err(format!("no second user namespace: {other:?}")),
    }
    write_maps(plan, pid)?;
    kill(pid, Signal::SIGCONT).map_err(|error| error.to_string())?;
    Ok(pid)
}

/// Everybody stays who they are outside.
fn write_maps(plan: &Plan, pid: Pid) -> Result<(), String> {
    for (name, outside) in [("uid_map", plan.user), ("gid_map", plan.group)] {
        let own =
            std::fs::read_to_string(format!("/proc/self/{name}")).map_err(|e| e.to_string())?;
        let map = if outside == 0 || plan.user == 0 {
            identity(&own)
        } else {
            format!("{outside} 0 1\n")
        };
        if map.trim() == "0 0 1" || plan.user != 0 {
            // Refused where it is denied already.
            let _ = std::fs::write(format!("/proc/{pid}/setgroups"), "deny");
        }
        std::fs::write(format!("/proc/{pid}/{name}"), map)
            .map_err(|error| format!("who is who cannot be said ({name}: {error})"))?;
    }
    Ok(())
}

/// Of `inside outside count`, each line: everybody who is known here, as themselves.
fn identity(own: &str) -> String {
    let lines = own.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace();
        let inside = numbers.next()?;
        Some(format!("{inside} {inside} {}\n", numbers.nth(1)?))
    });
    lines.collect()
}

/// Reaps whoever ends in the world until it is the program.
fn until_ended(child: Pid) -> u8 {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => {
                return u8::try_from(status).unwrap_or(1);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return u8::try_from(128 + signal as i32).unwrap_or(1);
            }
            Err(nix::Error::ECHILD) => return 1,
            _ => {}
        }
    }
}
