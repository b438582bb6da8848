//! A TCP port that is opened to the network: connections lead to where they were meant for, but for those of clients
//! that speak Postgres's protocol, which lead to the copy like everywhere else.

use super::outside::WayOut;
use super::relay::{copy, serve_tcp};
use super::start_up::{GSS_REQUEST, SSL_REQUEST, Way, code};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Who says nothing for so long waits for the server to begin.
const SILENCE: Duration = Duration::from_millis(300);

/// How long the rest of a first message may take.
const REST: Duration = Duration::from_secs(5);

/// Serves the connections to one port.
pub fn listen(listener: TcpListener, out: &Arc<WayOut>, to: &Arc<Way>) {
    let (out, to) = (Arc::clone(out), Arc::clone(to));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (out, to) = (Arc::clone(&out), Arc::clone(&to));
            // Whatever goes wrong, the connection closes.
            thread::spawn(move || drop(serve(client, &out, &to)));
        }
    });
}

fn serve(client: TcpStream, out: &WayOut, to: &Way) -> io::Result<()> {
    let _ = client.set_nodelay(true);
    if speaks_postgres(&client, Some(SILENCE))? {
        serve_tcp(client, to);
        return Ok(());
    }
    // Every address is the world's own: this is the one that was asked for.
    let asked = client.local_addr()?;
    let server = out.lead(SocketAddr::new(asked.ip().to_canonical(), asked.port()))?;
    let (client_twin, server_twin) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(server_twin, client_twin));
    if speaks_postgres(&client, None)? {
        server.shutdown(Shutdown::Both)?;
        return client.shutdown(Shutdown::Both);
    }
    copy(client, server);
    Ok(())
}

/// Whether what a client says first is Postgres's protocol. Nothing is taken off its stream.
fn speaks_postgres(client: &TcpStream, patience: Option<Duration>) -> io::Result<bool> {
    client.set_read_timeout(patience)?;
    let mut said = vec![0; 16_384 + 5];
    let begun = client.peek(&mut said);
    client.set_read_timeout(None)?;
    let mut length = match begun {
        Ok(length) => length,
        Err(error) if patience.is_some() && is_silence(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let started = Instant::now();
    while length > 0 && length < needed(&said[..length]) && started.elapsed() < REST {
        thread::sleep(Duration::from_millis(5));
        length = client.peek(&mut said)?;
    }
    match length < needed(&said[..length]) && length > 0 {
        true => Err(io::Error::other("half a message")),
        false => Ok(is_postgres(&said[..length])),
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The first byte of TLS's first message.
const HANDSHAKE: u8 = 22;

/// How much of a first message has to be there to know it: of Postgres's own, length and code; of TLS, the record.
fn needed(said: &[u8]) -> usize {
    match said {
        [0, ..] => 8,
        [HANDSHAKE, _, _, high, low, ..] => {
            5 + usize::from(u16::from_be_bytes([*high, *low])).min(16_384)
        }
        [HANDSHAKE, ..] => 5,
        _ => 0,
    }
}

/// Versions 2 and 3 of the protocol, what is asked before it, and TLS that names it (`sslnegotiation=direct`).
fn is_postgres(said: &[u8]) -> bool {
    const CANCEL: u32 = 80_877_102;
    match said.first() {
        Some(0) => {
            let code = code(said);
            [SSL_REQUEST, GSS_REQUEST, CANCEL].contains(&code) || matches!(code >> 16, 2 | 3)
        }
        Some(&HANDSHAKE) => {
            let name = b"\x0apostgresql";
            said.windows(name.len()).any(|part| part == name)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_known_by_its_first_message() {
        let startup = [0, 0, 0, 9, 0, 3, 0, 0, 0];
        for said in [
            &startup[..],
            &[0, 0, 0, 8, 4, 210, 22, 47],
            &[0, 0, 0, 8, 4, 210, 22, 48],
            b"\x16\x03\x01\x00\x10..\x0apostgresql",
        ] {
            assert!(is_postgres(said), "{said:?}");
        }
        for said in [
            &b""[..],
            b"PING\r\n",
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01\x00\x10..\x02h2",
            &[0, 0, 0, 30, 0, 18, 0, 3],
            &startup[..5],
        ] {
            assert!(!is_postgres(said), "{said:?}");
        }
        assert_eq!(needed(&startup), 8);
        assert_eq!(needed(b"\x16\x03\x01\x01\x00"), 261);
        assert_eq!(needed(b"P"), 0);
    }
}
