//! The connections of the command's processes on this machine, from `/proc` (proc_pid_net(5)): by them its sessions
//! are known where its driver does not take the name.

use crate::supervise::Socket;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ends on this machine of the TCP connections that the processes of a session have. Empty elsewhere than on Linux.
pub fn of_session(leader: u32) -> BTreeSet<Socket> {
    let inodes: BTreeSet<String> = processes(leader)
        .iter()
        .flat_map(|pid| sockets(pid))
        .collect();
    if inodes.is_empty() {
        return BTreeSet::new();
    }
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).ok())
        .flat_map(|table| ends(&table, &inodes))
        .collect()
}

/// Whether a process is stopped (SIGSTOP): it does nothing until it gets SIGCONT. Never elsewhere than on Linux.
pub fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.trim_start().starts_with('T')
}

/// The processes of the session that this one leads.
fn processes(leader: u32) -> Vec<String> {
    let session = leader.to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Behind the name in parentheses: state, parent, group, session (proc_pid_stat(5)).
            let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            rest.split_whitespace().nth(3) == Some(&*session)
        })
        .collect()
}

/// The inodes of a process's sockets.
fn sockets(pid: &str) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?;
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}

fn ends(table: &str, inodes: &BTreeSet<String>) -> Vec<Socket> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_own = inodes.contains(*fields.get(9)?);
            is_own.then(|| end(fields[1])).flatten()
        })
        .collect()
}

/// `0100007F:1538`: the address in the machine's byte order, four bytes at a time.
fn end(text: &str) -> Option<Socket> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<u8> = (0..address.len() / 8)
        .filter_map(|word| u32::from_str_radix(address.get(word * 8..word * 8 + 8)?, 16).ok())
        .flat_map(u32::to_ne_bytes)
        .collect();
    let address = match <[u8; 16]>::try_from(&*words) {
        Ok(bytes) => {
            let six = Ipv6Addr::from(bytes);
            six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)
        }
        Err(_) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(&*words).ok()?)),
    };
    Some(Socket {
        address: address.to_string(),
        port: u16::from_str_radix(port, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_of_both_families_are_read() {
        let read = |text| end(text).map(|socket| (socket.address, socket.port));
        assert_eq!(read("0100007F:1538"), Some(("127.0.0.1".into(), 5432)));
        let mapped = "0000000000000000FFFF00000100007F:8001";
        assert_eq!(read(mapped), Some(("127.0.0.1".into(), 32_769)));
        let six = "00000000000000000000000001000000:0050";
        assert_eq!(read(six), Some(("::1".into(), 80)));
        assert_eq!(read("x"), None);
    }
}
