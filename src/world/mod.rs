//! A private world for a program that must not reach anything: its own users, network, mounts and processes. Every
//! address leads to one Postgres server, a throw-away one, or nowhere.
//!
//! The program is started through this one again (`/proc/self/exe`), which first makes the world: namespaces can only
//! be left by a process of a single thread, and the program's own must not be able to undo them. In steps:
//!
//! 1. `enter` leaves the namespaces. For the throw-away server it then closes the world and becomes the server.
//! 2. `first` is the first process in there: it closes the world, relays connections, starts the program, and ends all
//!    of it when the pipe on its standard input closes, which is when pgguard ends, in whatever way.
//! 3. `step` leaves a second user namespace, in which no right over the world is left, and becomes the program.
//!
//! What is closed: the network (only `lo` is there, and every address is its own: `ip route add local default dev lo`),
//! names (each one is 127.0.0.1), every unix socket that somebody listens on, and folders that are not the program's
//! own, for writing ([`writes`]). Some ports may be opened ([`outside`], [`opened`]). Files can be read.

#[cfg(target_os = "linux")]
mod first;
#[cfg(target_os = "linux")]
mod listen;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod opened;
#[cfg(target_os = "linux")]
mod outside;
mod plan;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod start_up;
#[cfg(target_os = "linux")]
mod tls;
#[cfg(target_os = "linux")]
mod writes;

#[cfg(target_os = "linux")]
pub use outside::serve;
pub use plan::{Begun, Plan, REFUSED, SESSIONS, WORD};

/// Whether this process was started as a step of a world.
#[must_use]
pub fn is_asked() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == WORD)
}

/// Runs a step; comes back only with what kept it from going on.
#[must_use]
pub fn main() -> u8 {
    let mut arguments = std::env::args().skip(2);
    let step = arguments.next().unwrap_or_default();
    let plan = arguments.next().unwrap_or_default();
    let program: Vec<String> = arguments.collect();
    let Ok(plan) = serde_json::from_str::<Plan>(&plan) else {
        return 2;
    };
    match run(&step, &plan, &program) {
        Ok(status) => status,
        Err(why) => {
            if let Some(folder) = &plan.folder {
                // Outside nobody else reads it; where it cannot be written, the status tells.
                let _ = std::fs::write(folder.join(REFUSED), &why);
            }
            crate::door::say(&format!("no private world: {why}"));
            2
        }
    }
}

#[cfg(target_os = "linux")]
fn run(step: &str, plan: &Plan, program: &[String]) -> Result<u8, String> {
    match step {
        "enter" => namespaces::enter(plan, program),
        "first" => first::run(plan, program),
        "step" => namespaces::step(plan, program),
        _ => Err(format!("there is no step {step}")),
    }
}

/// Only Linux has worlds: nothing is served.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn serve(_: &std::path::Path, _: &[u16]) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn run(_: &str, _: &Plan, _: &[String]) -> Result<u8, String> {
    Err("only Linux has namespaces".into())
}
