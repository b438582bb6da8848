//! Host names in the world: each one is this machine. A server of names at port 53 answers what is asked of it
//! (RFC 1035); what `/etc/hosts` says stays, since every address is this machine's.

use super::outside::WayOut;
use super::{relay, sockets};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread;

const RESOLVER: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/// Answers from here on, and sends everybody here. With a way out, what the system's server of names knows comes first.
pub fn answer(folder: &Path, out: Option<Arc<WayOut>>) -> Result<(), String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53))
        .map_err(|error| format!("no server of names: {error}"))?;
    thread::spawn(move || {
        let mut question = [0; 1024];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            let question = &question[..length];
            let outside = out.as_ref().and_then(|out| out.name(question).ok());
            let known = outside.filter(|answer| has_answers(answer));
            if let Some(answer) = known.or_else(|| answer_to(question)) {
                // Who asked may be gone.
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    let own = relay::inside(folder).join("resolv.conf");
    std::fs::write(&own, RESOLVER).map_err(|error| format!("{}: {error}", own.display()))?;
    let system = Path::new("/etc/resolv.conf");
    // Without the file, 127.0.0.1 is asked anyway (resolv.conf(5)).
    match system.exists() {
        true => sockets::cover(system, &own),
        false => Ok(()),
    }
}

/// Whether an answer has a record in it (the third number of its header).
fn has_answers(answer: &[u8]) -> bool {
    answer.get(6..8).is_some_and(|count| count != [0, 0])
}

/// The question again, and for an address of IPv4 127.0.0.1; for anything else, nothing.
fn answer_to(question: &[u8]) -> Option<Vec<u8>> {
    let mut at = 12;
    loop {
        match *question.get(at)? {
            0 => break,
            length => at += usize::from(length) + 1,
        }
    }
    let end = at + 5;
    let kind = question.get(at + 1..at + 3)?;
    let is_address = kind == [0, 1];
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_this_machine() {
        let mut question = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend(b"\x02db\x08internal\x00\x00\x01\x00\x01");
        let answer = answer_to(&question).unwrap();
        assert_eq!(answer[..2], [7, 8]);
        assert_eq!(answer[answer.len() - 4..], [127, 0, 0, 1]);
        let at = question.len() - 3;
        question[at] = 28;
        assert_eq!(answer_to(&question).unwrap().len(), question.len());
        for cut in 0..question.len() {
            let _ = answer_to(&question[..cut]);
        }
    }
}
