//! Unix sockets: the kernel says of each whether its other end has closed (`sock_diag(7)`, `UNIX_DIAG_SHUTDOWN`). Which
//! one is a backend's, `/proc/PID/fd` says, to root and to the server's own account.

use crate::model::{Backend, Client};
use std::collections::BTreeMap;

/// The sockets of this machine by their inode: whether the other end has closed.
pub struct Pairs(BTreeMap<u64, bool>);

impl Pairs {
    /// Those of now; none where the kernel does not say.
    pub fn read() -> Self {
        Self(diag::closed_by_peer().unwrap_or_default())
    }

    /// What is known of a session's client. Its process has to be one of this machine, and a server process.
    pub fn client_of(&self, backend: &Backend) -> Option<Client> {
        use crate::model::Certainty::Certain;
        let title = std::fs::read(format!("/proc/{}/cmdline", backend.pid)).ok()?;
        let user = backend.usename.as_deref().unwrap_or_default();
        let title = String::from_utf8_lossy(&title).into_owned();
        if !title.starts_with("postgres:") || !title.contains(user) {
            return None;
        }
        let sockets = std::fs::read_dir(format!("/proc/{}/fd", backend.pid)).ok()?;
        let closed: Vec<bool> = sockets
            .filter_map(|entry| inode(&std::fs::read_link(entry.ok()?.path()).ok()?))
            .filter_map(|inode| self.0.get(&inode).copied())
            .collect();
        // A backend has one connected socket; its others (none today) would be open.
        let is_closed = *closed.iter().max()?;
        Some(Client {
            is_there: !is_closed,
            certainty: Certain,
            proof: match is_closed {
                true => "its unix socket is shut down: the client has closed its end".into(),
                false => "its unix socket is open at both ends".into(),
            },
        })
    }
}

/// `socket:[12345]`
fn inode(link: &std::path::Path) -> Option<u64> {
    let text = link.to_str()?.strip_prefix("socket:[")?;
    text.strip_suffix(']')?.parse().ok()
}

#[cfg(target_os = "linux")]
mod diag {
    //! One question to the kernel: all unix sockets (`linux/sock_diag.h`, `linux/unix_diag.h`).

    use nix::sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
        socket,
    };
    use std::collections::BTreeMap;
    use std::os::fd::AsRawFd as _;

    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    /// `NLM_F_REQUEST`, `NLM_F_DUMP`
    const DUMP: u16 = 0x301;
    const AF_UNIX: u8 = 1;
    const CONNECTED: u32 = 1 << 1;
    const UDIAG_SHOW_PEER: u32 = 4;
    const UNIX_DIAG_SHUTDOWN: u16 = 6;
    /// `SHUTDOWN_MASK`: no reading and no writing any more.
    const BOTH: u8 = 3;
    /// Of a message, and of what it says before its attributes.
    const HEADER: usize = 16;

    /// By inode: whether the other end has closed.
    pub fn closed_by_peer() -> Option<BTreeMap<u64, bool>> {
        let kernel = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )
        .ok()?;
        let fd = kernel.as_raw_fd();
        sendto(fd, &question(), &NetlinkAddr::new(0, 0), MsgFlags::empty()).ok()?;
        let mut found = BTreeMap::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = recv(fd, &mut buffer, MsgFlags::empty()).ok()?;
            if length == 0 || !take(&buffer[..length], &mut found) {
                return Some(found);
            }
        }
    }

    fn question() -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        out.extend(40_u32.to_ne_bytes());
        out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        out.extend(DUMP.to_ne_bytes());
        out.extend([0; 8]); // sequence number, port
        out.extend([AF_UNIX, 0, 0, 0]);
        out.extend(CONNECTED.to_ne_bytes());
        out.extend([0; 4]); // inode: all
        out.extend(UDIAG_SHOW_PEER.to_ne_bytes());
        out.extend([0; 8]); // cookie
        out
    }

    fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
        bytes.get(at..at + N)?.try_into().ok()
    }

    /// Takes the sockets of one answer; `false`: it was the last.
    fn take(mut bytes: &[u8], found: &mut BTreeMap<u64, bool>) -> bool {
        while let (Some(length), Some(kind)) = (word(bytes, 0), word(bytes, 4)) {
            let length = u32::from_ne_bytes(length) as usize;
            let kind = u16::from_ne_bytes(kind);
            // The end of the list, a refusal, or nothing that is understood.
            if kind != SOCK_DIAG_BY_FAMILY || length < HEADER || length > bytes.len() {
                return false;
            }
            let socket = &bytes[HEADER..length];
            if let Some(inode) = word(socket, 4) {
                let is_closed = shutdown(socket).is_some_and(|how| how & BOTH == BOTH);
                found.insert(u64::from(u32::from_ne_bytes(inode)), is_closed);
            }
            bytes = &bytes[aligned(length).min(bytes.len())..];
        }
        true
    }

    /// The attribute that says what is shut down.
    fn shutdown(socket: &[u8]) -> Option<u8> {
        let mut rest = socket.get(HEADER..)?;
        loop {
            let length = usize::from(u16::from_ne_bytes(word(rest, 0)?));
            let kind = u16::from_ne_bytes(word(rest, 2)?);
            if kind == UNIX_DIAG_SHUTDOWN {
                return rest.get(4).copied();
            }
            rest = rest.get(aligned(length).max(4)..)?;
        }
    }

    const fn aligned(length: usize) -> usize {
        (length + 3) & !3
    }
}

#[cfg(not(target_os = "linux"))]
mod diag {
    use std::collections::BTreeMap;

    /// Only Linux says it.
    pub const fn closed_by_peer() -> Option<BTreeMap<u64, bool>> {
        None
    }
}
