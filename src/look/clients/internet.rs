//! TCP: `/proc/net/tcp` and `tcp6`, which everybody may read
//! (<https://docs.kernel.org/networking/proc_net_tcp.html>; the states are those of `include/net/tcp_states.h`).

use crate::model::{Backend, Certainty, Client};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The other side has closed, and our program has not.
const CLOSE_WAIT: u8 = 8;
const ESTABLISHED: u8 = 1;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    address: IpAddr,
    port: u16,
}

/// One connection, as the kernel of this machine has it.
#[derive(Debug, Clone, Copy)]
struct Connection {
    here: End,
    there: End,
    state: u8,
}

/// Where connections of this machine to the server lead: this machine's address and the server's end.
#[derive(Debug, Clone, Copy)]
pub struct ClientSide {
    address: IpAddr,
    server: End,
}

/// All connections of this machine.
pub struct Connections(Vec<Connection>);

impl Connections {
    /// Those of now; none where they cannot be read.
    pub fn read() -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let texts = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default());
        Self(
            texts
                .iter()
                .flat_map(|text| text.lines().filter_map(connection))
                .collect(),
        )
    }

    /// This machine's side of the connection of a session of ours; `None`: the server sees another address than we
    /// have, or another port: something in between writes them anew.
    pub fn client_side(&self, own: &Backend) -> Option<ClientSide> {
        let end = end_of(own)?;
        let mine = self
            .0
            .iter()
            .find(|c| c.here == end && c.state == ESTABLISHED)?;
        Some(ClientSide {
            address: end.address,
            server: mine.there,
        })
    }

    /// What is known of a session's client. `port`: the server's; `ours`: this machine as a client of it.
    pub fn client_of(
        &self,
        backend: &Backend,
        port: Option<u16>,
        ours: Option<&ClientSide>,
    ) -> Option<Client> {
        let client = end_of(backend)?;
        self.seen_by_server(client, port?)
            .or_else(|| self.seen_by_client(client, ours?))
    }

    /// This machine is the server's: its end of the connection.
    fn seen_by_server(&self, client: End, port: u16) -> Option<Client> {
        let mut all = self.0.iter();
        let row = all.find(|c| c.there == client && c.here.port == port)?;
        match row.state {
            CLOSE_WAIT => Some(gone(
                Certainty::Certain,
                format!(
                    "the server's end of its connection is in CLOSE_WAIT: the client ({}, port {}) has closed it",
                    client.address, client.port
                ),
            )),
            ESTABLISHED => Some(there("its connection is established")),
            _ => None,
        }
    }

    /// This machine is the client's: its end.
    fn seen_by_client(&self, client: End, ours: &ClientSide) -> Option<Client> {
        if client.address != ours.address {
            return None;
        }
        let mut all = self.0.iter();
        let row = all.find(|c| c.here == client && c.there == ours.server);
        match row.map(|row| row.state) {
            Some(ESTABLISHED | CLOSE_WAIT) => Some(there("its connection is established")),
            // A program of this machine behind another network (a container) would not be seen.
            _ => Some(gone(
                Certainty::Likely,
                format!(
                    "it came from this machine ({}), where no program has port {} any more",
                    client.address, client.port
                ),
            )),
        }
    }
}

fn gone(certainty: Certainty, proof: String) -> Client {
    Client {
        is_there: false,
        certainty,
        proof,
    }
}

fn there(proof: &str) -> Client {
    Client {
        is_there: true,
        certainty: Certainty::Likely,
        proof: proof.to_owned(),
    }
}

/// The client's end of a session.
fn end_of(backend: &Backend) -> Option<End> {
    let address: IpAddr = backend.client_addr.as_deref()?.parse().ok()?;
    Some(End {
        address: address.to_canonical(),
        port: u16::try_from(backend.client_port?).ok()?,
    })
}

/// A row: `sl local_address rem_address st …`.
fn connection(line: &str) -> Option<Connection> {
    let mut words = line.split_whitespace().skip(1);
    Some(Connection {
        here: end(words.next()?)?,
        there: end(words.next()?)?,
        state: u8::from_str_radix(words.next()?, 16).ok()?,
    })
}

/// `0100007F:1538`: 32-bit words in the order of this machine, in hexadecimal digits, and the port.
fn end(text: &str) -> Option<End> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .filter_map(|nth| address.get(nth * 8..nth * 8 + 8))
        .filter_map(|word| u32::from_str_radix(word, 16).ok())
        .map(u32::to_ne_bytes)
        .collect();
    let address = match words.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(End {
        address,
        port: u16::from_str_radix(port, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_the_kernel_writes_them() {
        let read = |text| end(text).map(|end| (end.address.to_string(), end.port));
        if cfg!(target_endian = "little") {
            assert_eq!(read("0100007F:1538"), Some(("127.0.0.1".into(), 5432)));
            assert_eq!(
                read("0000000000000000FFFF00000100007F:D2F0"),
                Some(("127.0.0.1".into(), 54000))
            );
            assert_eq!(
                read("00000000000000000000000001000000:0001"),
                Some(("::1".into(), 1))
            );
        }
        assert_eq!(read("local_address"), None);
    }
}
