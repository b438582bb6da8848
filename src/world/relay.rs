//! Connections in the world lead to the one server: from every address at its ports, and from its sockets. What each
//! session begins with (its start-up message) is written down: the server's log does not tell.

use super::plan::{Begun, Plan, SESSIONS};
use super::tls;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
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

/// Where connections lead, and what is needed on the way.
pub struct Way {
    server: PathBuf,
    book: File,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// Listens, before anything runs in the world.
pub fn listen(plan: &Plan, folder: &Path) -> Result<(), String> {
    let Some(server) = plan.server.clone() else {
        return Ok(());
    };
    let path = socket(folder);
    let failed = |error: io::Error| format!("the relay cannot listen: {error}");
    let book = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(SESSIONS))
        .map_err(failed)?;
    let way = Arc::new(Way {
        server,
        book,
        tls: tls::config(),
    });
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).map_err(failed)?;
    let to = Arc::clone(&way);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let to = Arc::clone(&to);
            thread::spawn(move || serve(client, &to));
        }
    });
    for port in &plan.ports {
        let four = TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).map_err(failed)?;
        // Where the system takes IPv4's connections on it, too, it is the same port; without IPv6 there is none.
        let six = TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).ok();
        for listener in [Some(four), six].into_iter().flatten() {
            let to = Arc::clone(&way);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    // A small message waits for nobody.
                    let _ = client.set_nodelay(true);
                    let to = Arc::clone(&to);
                    thread::spawn(move || serve_tcp(client, &to));
                }
            });
        }
    }
    Ok(())
}

/// A stream that can be shared by two threads, and closed in one direction.
trait Stream: Read + Write + Send + Sized + 'static {
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

/// What a client asks for before its start-up message
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const PROTOCOL_3: u32 = 3 << 16;

/// The longest start-up message that a server takes (`MAX_STARTUP_PACKET_LENGTH`).
const LONGEST: usize = 10_000;

/// The first byte of TLS's first message: a client that does not ask (`sslnegotiation=direct`).
const HANDSHAKE: u8 = 22;

fn serve_tcp(client: TcpStream, way: &Way) {
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
fn serve<C: Stream + Tls>(mut client: C, way: &Way) {
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
trait Tls: Sized {
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

/// A message without a type: its length, and what follows.
pub fn start_up(client: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if !(8..=LONGEST).contains(&length) {
        return Err(io::Error::other("no start-up message"));
    }
    let mut message = vec![0; length];
    message[..4].copy_from_slice(&head);
    client.read_exact(&mut message[4..])?;
    Ok(message)
}

fn code(message: &[u8]) -> u32 {
    let bytes = message.get(4..8).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// What a start-up message says; `None`: it asks for something else, to cancel for example.
fn begun(message: &[u8]) -> Option<Begun> {
    (code(message) & 0xffff_0000 == PROTOCOL_3).then_some(())?;
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let mut parts = message[8..].split(|byte| *byte == 0);
    let mut found = Begun::default();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        match name {
            b"" => break,
            b"user" => found.user = text(value),
            b"database" => found.database = text(value),
            name => found.settings.push((text(name), text(value))),
        }
    }
    if found.database.is_empty() {
        found.database.clone_from(&found.user);
    }
    Some(found)
}

impl Way {
    /// Connects to the server, hands it the start-up message, and writes down what that says.
    ///
    /// # Errors
    /// The server is not there.
    pub fn lead(&self, message: &[u8]) -> io::Result<UnixStream> {
        let mut server = UnixStream::connect(&self.server)?;
        if let Some(begun) = begun(message) {
            let line = serde_json::to_string(&begun).unwrap_or_default() + "\n";
            // Without it, the sessions are taken to begin as the server has it.
            let _ = (&self.book).write_all(line.as_bytes());
        }
        server.write_all(message)?;
        Ok(server)
    }
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

fn copy(mut from: impl Stream, mut to: impl Stream) {
    // Whatever ends it, the other side learns that nothing more comes.
    let _ = io::copy(&mut from, &mut to);
    to.close(Shutdown::Write);
    from.close(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_up_message_tells_who_and_how() {
        let mut message = vec![0, 0, 0, 0, 0, 3, 0, 0];
        message.extend(b"user\0deploy\0options\0-c lock_timeout=2s\0\0");
        let length = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&length.to_be_bytes());
        let read = start_up(&mut message.as_slice()).unwrap();
        let found = begun(&read).unwrap();
        assert_eq!(
            (found.user.as_str(), found.database.as_str()),
            ("deploy", "deploy")
        );
        assert_eq!(
            found.settings,
            [("options".to_owned(), "-c lock_timeout=2s".to_owned())]
        );
        for cut in 0..message.len() {
            assert!(start_up(&mut &message[..cut]).is_err());
            let _ = begun(&message[..cut.max(8)]);
        }
    }
}
