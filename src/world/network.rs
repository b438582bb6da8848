//! The network of a world: `lo`, and every address is its own. Asked of the kernel by its route socket
//! (<https://man7.org/linux/man-pages/man7/rtnetlink.7.html>).

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::os::fd::{AsRawFd as _, OwnedFd};

/// `lo` is the first interface of every network namespace.
const LO: u32 = 1;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
/// `NLM_F_REQUEST | NLM_F_ACK`
const REQUEST: u16 = 0x5;
/// `NLM_F_CREATE`
const CREATE: u16 = 0x400;

/// Brings `lo` up and gives it every address: whatever is connected to is this machine.
pub fn close() -> Result<(), String> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )
    .map_err(|error| format!("no route socket: {error}"))?;
    ask(&socket, RTM_NEWLINK, REQUEST, &up())?;
    ask(
        &socket,
        RTM_NEWROUTE,
        REQUEST | CREATE,
        &every_address(AddressFamily::Inet),
    )?;
    // A machine without IPv6 has nothing to close there.
    let _ = ask(
        &socket,
        RTM_NEWROUTE,
        REQUEST | CREATE,
        &every_address(AddressFamily::Inet6),
    );
    Ok(())
}

/// `struct ifinfomsg`: family, padding, type, index, flags (`IFF_UP`), which of them change.
fn up() -> Vec<u8> {
    let mut body = vec![0; 4];
    for number in [LO, 1, 1] {
        body.extend(number.to_ne_bytes());
    }
    body
}

/// `struct rtmsg` (`RT_TABLE_LOCAL`, `RTPROT_BOOT`, scope of the host, `RTN_LOCAL`), and `RTA_OIF`: through `lo`.
fn every_address(family: AddressFamily) -> Vec<u8> {
    let mut body = vec![family as u8, 0, 0, 0, 255, 3, 254, 2];
    body.extend(0_u32.to_ne_bytes());
    body.extend(8_u16.to_ne_bytes());
    body.extend(4_u16.to_ne_bytes());
    body.extend(LO.to_ne_bytes());
    body
}

/// Sends a message and reads the answer: `struct nlmsgerr`, 0 for done.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> Result<(), String> {
    let length = u32::try_from(16 + body.len()).unwrap_or_default();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    let failed = |error: nix::Error| format!("the route socket: {error}");
    send(socket.as_raw_fd(), &message, MsgFlags::empty()).map_err(failed)?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).map_err(failed)?;
    let code = answer.get(16..20).filter(|_| length >= 20);
    match code
        .and_then(|code| code.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(code) => Err(failed(nix::Error::from_raw(-code))),
        None => Err("the route socket: no answer".into()),
    }
}
