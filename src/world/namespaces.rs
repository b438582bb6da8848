//! Leaving the namespaces that everybody shares.

use super::plan::{Plan, WORD};
use super::{network, sockets, writes};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, raise};
use nix::unistd::{getegid, geteuid};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Leaves them. For the throw-away server: closes the world and becomes the program; otherwise starts the first process.
pub fn enter(plan: &Plan, program: &[String]) -> Result<u8, String> {
    let plan = Plan {
        sockets: sockets::listened_on()?,
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
        ..plan.clone()
    };
    if plan.folder.is_none() {
        leave(
            CloneFlags::empty(),
            plan.user,
            plan.group,
            plan.user,
            plan.group,
        )?;
        close(&plan)?;
        return Err(become_program(program));
    }
    let processes = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    leave(processes, plan.user, plan.group, 0, 0)?;
    let text = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
    let status = Command::new("/proc/self/exe")
        .args([WORD, "first", &text])
        .args(program)
        .status()
        .map_err(|error| error.to_string())?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(137))
}

/// Root leaves them by its own right, where it has it; everybody else as root of a user namespace of their own.
fn leave(
    more: CloneFlags,
    user: u32,
    group: u32,
    as_user: u32,
    as_group: u32,
) -> Result<(), String> {
    let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | more;
    if user == 0 && unshare(flags).is_ok() {
        return Ok(());
    }
    unshare(flags | CloneFlags::CLONE_NEWUSER).map_err(|error| {
        format!("this system lets nobody make user and network namespaces ({error})")
    })?;
    let write = |name: &str, text: &str| {
        std::fs::write(format!("/proc/self/{name}"), text)
            .map_err(|error| format!("{name}: {error}"))
    };
    write("setgroups", "deny")?;
    write("uid_map", &format!("{as_user} {user} 1"))?;
    write("gid_map", &format!("{as_group} {group} 1"))
}

/// Closes network and sockets of the world that this process is in.
pub fn close(plan: &Plan) -> Result<(), String> {
    sockets::keep_mounts_to_ourselves()?;
    network::close()?;
    sockets::hide(plan)
}

/// Leaves a user namespace once more: what is run has no right over the world, which belongs to the one outside it.
/// The first process says who is who in it meanwhile.
pub fn step(plan: &Plan, program: &[String]) -> Result<u8, String> {
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| error.to_string())?;
    raise(Signal::SIGSTOP).map_err(|error| error.to_string())?;
    writes::confine(plan)?;
    Err(become_program(program))
}

/// Comes back with what kept it from becoming the program.
fn become_program(program: &[String]) -> String {
    let Some((name, arguments)) = program.split_first() else {
        return "there is no program".into();
    };
    let mut command = Command::new(name);
    command.args(arguments);
    if std::env::args().nth(2).is_some_and(|step| step == "step") {
        command.stdin(Stdio::null());
    }
    format!("cannot run {name}: {}", command.exec())
}
