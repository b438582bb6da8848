//! Listens in the world, before anything runs there: at the one server's ports and its socket, and at the ports that are
//! opened to the network.

use super::opened;
use super::outside::WayOut;
use super::plan::{Plan, SESSIONS};
use super::relay::{serve, serve_tcp, socket};
use super::start_up::Way;
use super::tls;
use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Listens at all of them.
pub fn at_all(plan: &Plan, folder: &Path, out: Option<&Arc<WayOut>>) -> Result<(), String> {
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
        for listener in listeners(*port).map_err(failed)? {
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
    for (port, out) in plan.network.iter().zip(out.iter().cycle()) {
        for listener in listeners(*port).map_err(failed)? {
            opened::listen(listener, out, &way);
        }
    }
    Ok(())
}

/// A port at every address.
fn listeners(port: u16) -> io::Result<impl Iterator<Item = TcpListener>> {
    let four = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    // Where the system takes IPv4's connections on it, too, it is the same port; without IPv6 there is none.
    let six = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).ok();
    Ok(std::iter::once(four).chain(six))
}
