//! Whether a server would ask for the password in clear text, found out without giving it one.
//!
//! With `sslmode=prefer` libpq comes again without TLS when `pg_hba.conf` has no line for an encrypted connection, and
//! then sends whatever the server asks for (`PQconnectPoll`, fe-connect.c;
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>). So do we, except for a password in clear text: nobody who
//! said `prefer` has asked for that. The library answers the server by itself, so the question is asked first.

use super::endpoint::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// `AuthenticationCleartextPassword`
const CLEAR_TEXT: u32 = 3;

/// Whether the server's first answer to a start without TLS asks for it; also where there is no answer that says.
pub async fn is_asked_for(endpoint: &Endpoint, user: &str, database: &str) -> bool {
    let asked = first_request(endpoint, user, database).await;
    asked.map_or(true, |request| request == Some(CLEAR_TEXT))
}

/// The kind of the server's authentication request; `None`: it refuses, which the real attempt will tell.
async fn first_request(
    endpoint: &Endpoint,
    user: &str,
    database: &str,
) -> std::io::Result<Option<u32>> {
    let host = endpoint.address.as_deref().unwrap_or(&endpoint.host);
    let mut socket = TcpStream::connect((host, endpoint.port)).await?;
    socket.write_all(&start_up(user, database)).await?;
    // Authentication requests are a byte, a length and their kind; before them a server may send a notice of the
    // protocol's version.
    loop {
        let kind = socket.read_u8().await?;
        let length = socket.read_u32().await?;
        match kind {
            b'R' => return Ok(Some(socket.read_u32().await?)),
            b'v' => {
                let mut rest = vec![0; usize::try_from(length.clamp(4, 1024) - 4).unwrap_or(0)];
                socket.read_exact(&mut rest).await?;
            }
            _ => return Ok(None),
        }
    }
}

/// A StartupMessage of protocol 3.0.
fn start_up(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for word in ["user", user, "database", database] {
        body.extend(word.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}
