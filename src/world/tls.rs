//! TLS in the world, so that `sslmode=require` finds what it wants. Nobody is kept out by it: the key is in this
//! program, and every address in there is the same server anyway.

use super::start_up::{Way, start_up};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Made by `openssl req -x509`, for a hundred years.
const CERTIFICATE: &[u8] = include_bytes!("relay.crt.der");
const KEY: &[u8] = include_bytes!("relay.key.der");

/// How the relay speaks TLS; `None`: it does not.
pub fn config() -> Option<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .ok()?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Some(Arc::new(config))
}

/// Speaks TLS with a client, and leads it to the server.
pub fn serve(client: TcpStream, config: &Arc<ServerConfig>, way: &Way) {
    // Whatever ends it, the connection closes.
    let _ = served(client, config, way);
}

fn served(client: TcpStream, config: &Arc<ServerConfig>, way: &Way) -> io::Result<()> {
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, client);
    let message = start_up(&mut stream)?;
    let server = way.lead(&message)?;
    stream.sock.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    let mut ways = Ways {
        session: stream.conn,
        client: stream.sock,
        server,
        to_server: Vec::new(),
        client_is_done: false,
    };
    while ways.step()? {}
    Ok(())
}

/// What is under way between a client and the server.
struct Ways {
    session: ServerConnection,
    client: TcpStream,
    server: UnixStream,
    to_server: Vec<u8>,
    client_is_done: bool,
}

/// So much waits for the server before no more is read.
const ENOUGH: usize = 1 << 20;

impl Ways {
    /// Waits until something can be done, and does it; `false`: the server is done.
    fn step(&mut self) -> io::Result<bool> {
        self.decrypted()?;
        let (from_client, from_server) = self.ready()?;
        if from_client.contains(PollFlags::POLLOUT) {
            passed_over(self.session.write_tls(&mut self.client))?;
        }
        if from_server.contains(PollFlags::POLLOUT) {
            let sent = passed_over(self.server.write(&self.to_server))?.unwrap_or(0);
            self.to_server.drain(..sent);
        }
        if from_client.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            self.read_client()?;
        }
        if from_server.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            return self.read_server();
        }
        Ok(true)
    }

    /// What can be done now.
    fn ready(&self) -> io::Result<(PollFlags, PollFlags)> {
        let mut client = PollFlags::empty();
        let mut server = PollFlags::empty();
        client.set(
            PollFlags::POLLIN,
            !self.client_is_done && self.to_server.len() < ENOUGH,
        );
        client.set(PollFlags::POLLOUT, self.session.wants_write());
        server.set(PollFlags::POLLIN, !self.session.wants_write());
        server.set(PollFlags::POLLOUT, !self.to_server.is_empty());
        let mut fds = Vec::new();
        // Who has hung up would be ready for ever.
        if !client.is_empty() {
            fds.push(PollFd::new(self.client.as_fd(), client));
        }
        if !server.is_empty() {
            fds.push(PollFd::new(self.server.as_fd(), server));
        }
        poll(&mut fds, PollTimeout::NONE).map_err(io::Error::from)?;
        let mut found = fds
            .iter()
            .map(|fd| fd.revents().unwrap_or_else(PollFlags::empty));
        let mut next = |asked: PollFlags| match asked.is_empty() {
            true => PollFlags::empty(),
            false => found.next().unwrap_or_else(PollFlags::empty),
        };
        Ok((next(client), next(server)))
    }

    fn decrypted(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        loop {
            match self.session.reader().read(&mut buffer) {
                Ok(0) => {
                    self.client_ends();
                    return Ok(());
                }
                Ok(length) => self.to_server.extend(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    self.client_ends();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn client_ends(&mut self) {
        self.client_is_done = true;
        if self.to_server.is_empty() {
            let _ = self.server.shutdown(Shutdown::Write);
        }
    }

    fn read_client(&mut self) -> io::Result<()> {
        if passed_over(self.session.read_tls(&mut self.client))? == Some(0) {
            self.client_ends();
        }
        self.session
            .process_new_packets()
            .map(drop)
            .map_err(io::Error::other)
    }

    fn read_server(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16_384];
        match passed_over(self.server.read(&mut buffer))? {
            None => Ok(true),
            Some(0) => {
                self.session.send_close_notify();
                self.client.set_nonblocking(false)?;
                while self.session.wants_write() {
                    self.session.write_tls(&mut self.client)?;
                }
                Ok(false)
            }
            Some(length) => {
                self.session.writer().write_all(&buffer[..length])?;
                Ok(true)
            }
        }
    }
}

/// `None`: not now.
fn passed_over(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(length) => Ok(Some(length)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
