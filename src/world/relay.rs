//! Connections in the world lead to the one server: from every address at its ports, and from its sockets. What each
//! session begins with (its start-up message) is written down: the server's log does not tell.

use super::start_up::{GSS_REQUEST, SSL_REQUEST, Way, code, start_up};
use super::tls;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// The folder in the world's own folder that is in memory, and seen in the world alone.
pub fn inside(folder: &Path) -> PathBuf {
    folder.join("inside")
}

/// The socket of the relay.
pub fn socket(folder: &Path) -> PathBuf {
    inside(folder).join("server")
}

/// A stream that can be shared by two threads, and closed in one direction.
pub(super) trait Stream: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn close(&self, how: Shutdown);
}

impl Stream for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

/// The first byte of TLS's first message: a client that does not ask (`sslnegotiation=direct`).
const HANDSHAKE: u8 = 22;

pub(super) fn serve_tcp(client: TcpStream, way: &Way) {
    let mut first = [0];
    let is_direct =
        client.peek(&mut first).is_ok_and(|length| length == 1) && first[0] == HANDSHAKE;
    match &way.tls {
        Some(config) if is_direct => tls::serve(client, config, way),
        _ => serve(client, way),
    }
}

/// Reads the start-up message, and leads the client to the server. One that is not there: the client's connection
/// closes.
pub(super) fn serve<C: Stream + Tls>(mut client: C, way: &Way) {
    loop {
        let Ok(message) = start_up(&mut client) else {
            return;
        };
        let asked = code(&message);
        let answer = match (&way.tls, asked) {
            (Some(config), SSL_REQUEST) if C::CAN => {
                if client.write_all(b"S").is_ok() {
                    client.serve(config, way);
                }
                return;
            }
            (_, SSL_REQUEST | GSS_REQUEST) => client.write_all(b"N"),
            _ => return relay(client, &message, way),
        };
        if answer.is_err() {
            return;
        }
    }
}

/// A stream that TLS can be spoken on.
pub(super) trait Tls: Sized {
    const CAN: bool;
    fn serve(self, config: &Arc<rustls::ServerConfig>, way: &Way);
}

impl Tls for TcpStream {
    const CAN: bool = true;
    fn serve(self, config: &Arc<rustls::ServerConfig>, way: &Way) {
        tls::serve(self, config, way);
    }
}

impl Tls for UnixStream {
    const CAN: bool = false;
    fn serve(self, _: &Arc<rustls::ServerConfig>, _: &Way) {}
}

/// Copies both ways until both ends are done.
fn relay(client: impl Stream, message: &[u8], way: &Way) {
    let Ok(server) = way.lead(message) else {
        return;
    };
    let (Ok(client_twin), Ok(server_twin)) = (client.twin(), server.twin()) else {
        return;
    };
    thread::spawn(move || copy(client, server));
    thread::spawn(move || copy(server_twin, client_twin));
}

pub(super) fn copy(mut from: impl Stream, mut to: impl Stream) {
    // Whatever ends it, the other side learns that nothing more comes.
    let _ = io::copy(&mut from, &mut to);
    to.close(Shutdown::Write);
    from.close(Shutdown::Read);
}
