//! What a session begins with: its start-up message, read, written down, and handed to the server.

use super::plan::Begun;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

/// Where connections lead, and what is needed on the way.
pub struct Way {
    pub server: PathBuf,
    pub book: File,
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// What a client asks for before its start-up message
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
pub const SSL_REQUEST: u32 = 80_877_103;
pub const GSS_REQUEST: u32 = 80_877_104;
const PROTOCOL_3: u32 = 3 << 16;

/// The longest start-up message that a server takes (`MAX_STARTUP_PACKET_LENGTH`).
const LONGEST: usize = 10_000;

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

pub fn code(message: &[u8]) -> u32 {
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
