//! Connections in the world lead to the one server: from every address at its ports, and from its sockets.

use super::plan::Plan;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// The folder in the world's own folder that is in memory, and seen in the world alone.
pub fn inside(folder: &Path) -> PathBuf {
    folder.join("inside")
}

/// The socket of the relay.
pub fn socket(folder: &Path) -> PathBuf {
    inside(folder).join("server")
}

/// Listens, before anything runs in the world.
pub fn listen(plan: &Plan, folder: &Path) -> Result<(), String> {
    let Some(server) = plan.server.clone() else {
        return Ok(());
    };
    let path = socket(folder);
    let failed = |error: io::Error| format!("the relay cannot listen: {error}");
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).map_err(failed)?;
    let to = server.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            relay(client, &to);
        }
    });
    for port in &plan.ports {
        let four = TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).map_err(failed)?;
        // Where the system takes IPv4's connections on it, too, it is the same port; without IPv6 there is none.
        let six = TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).ok();
        for listener in [Some(four), six].into_iter().flatten() {
            let to = server.clone();
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    // A small message waits for nobody.
                    let _ = client.set_nodelay(true);
                    relay(client, &to);
                }
            });
        }
    }
    Ok(())
}

/// A stream that can be shared by two threads, and closed in one direction.
trait Stream: io::Read + io::Write + Send + Sized + 'static {
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

/// Copies both ways until both ends are done. A server that is not there: the client's connection closes.
fn relay(client: impl Stream, server: &Path) {
    let Ok(server) = UnixStream::connect(server) else {
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
