//! What a world may reach outside: the TCP ports that somebody opened to it, and the system's names. The connections
//! are pgguard's own, which stays outside; a program in the world only talks to the world's first process.

use super::relay::copy;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for instead of an address.
const NAME: &str = "name";

fn socket(folder: &Path) -> PathBuf {
    folder.join("outside")
}

/// Serves the world of this folder from outside, as long as pgguard runs.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(folder: &Path, ports: &[u16]) -> io::Result<()> {
    let listener = UnixListener::bind(socket(folder))?;
    let ports: Arc<[u16]> = ports.into();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let ports = Arc::clone(&ports);
            // Whatever goes wrong, its connection closes.
            thread::spawn(move || drop(served(client, &ports)));
        }
    });
    Ok(())
}

fn served(mut client: UnixStream, ports: &[u16]) -> io::Result<()> {
    let asked = line(&mut client)?;
    if asked == NAME {
        let mut length = [0; 2];
        client.read_exact(&mut length)?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        client.read_exact(&mut question)?;
        return client.write_all(&resolved(&question)?);
    }
    let address: SocketAddr = asked.parse().map_err(io::Error::other)?;
    if !ports.contains(&address.port()) {
        return Ok(());
    }
    let server = TcpStream::connect_timeout(&address, PATIENCE)?;
    let _ = server.set_nodelay(true);
    client.write_all(b"+")?;
    let (client_twin, server_twin) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(client_twin, server_twin));
    copy(server, client);
    Ok(())
}

fn line(client: &mut UnixStream) -> io::Result<String> {
    let mut text = String::new();
    let mut byte = [0];
    while text.len() < 64 {
        client.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => return Ok(text),
            byte => text.push(char::from(byte)),
        }
    }
    Err(io::Error::other("no address"))
}

/// What the system's server of names says (resolv.conf(5): without one, this machine's).
fn resolved(question: &[u8]) -> io::Result<Vec<u8>> {
    let system = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = system.lines().find_map(|line| {
        line.strip_prefix("nameserver")?
            .trim()
            .parse::<IpAddr>()
            .ok()
    });
    let server = named.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let socket = match server {
        IpAddr::V4(_) => UdpSocket::bind("0.0.0.0:0"),
        IpAddr::V6(_) => UdpSocket::bind("[::]:0"),
    }?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    socket.connect((server, 53))?;
    socket.send(question)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// The way out of the world, opened before the program starts: its name is covered by then.
pub struct WayOut(File);

impl WayOut {
    /// Opens it.
    ///
    /// # Errors
    /// Nobody serves this world.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_PATH.bits());
        options.open(socket(folder)).map(Self)
    }

    fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// A connection to an address outside.
    ///
    /// # Errors
    /// It is not opened, or nobody answers there.
    pub fn lead(&self, address: SocketAddr) -> io::Result<UnixStream> {
        let mut way = self.connect()?;
        writeln!(way, "{address}")?;
        way.read_exact(&mut [0])?;
        Ok(way)
    }

    /// The answer of the system's server of names.
    ///
    /// # Errors
    /// It has none.
    pub fn name(&self, question: &[u8]) -> io::Result<Vec<u8>> {
        let mut way = self.connect()?;
        let length = u16::try_from(question.len()).map_err(io::Error::other)?;
        writeln!(way, "{NAME}")?;
        way.write_all(&length.to_be_bytes())?;
        way.write_all(question)?;
        let mut answer = Vec::new();
        way.read_to_end(&mut answer)?;
        Ok(answer)
    }
}
