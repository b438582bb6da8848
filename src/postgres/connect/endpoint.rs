//! The servers of a list: hosts, addresses, ports, socket folders.

use crate::{Error, Result};
use std::fmt;
use std::path::Path;

/// Where sockets are: Debian's packages, then the compiled-in default.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name, address or socket folder.
    pub host: String,
    /// `hostaddr`: where to connect without looking the name up.
    pub address: Option<String>,
    /// Port
    pub port: u16,
}

impl Endpoint {
    /// Whether it is a unix socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }

    /// The name in a password file: the default socket folder is `localhost` (`fe-connect.c`).
    pub fn passfile_name(&self) -> &str {
        if SOCKET_FOLDERS.contains(&self.host.as_str()) {
            "localhost"
        } else {
            &self.host
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "{}/.s.PGSQL.{}", self.host, self.port)
        } else if let Some(address) = self.address.as_ref().filter(|a| **a != self.host) {
            write!(f, "{} ({address}) port {}", self.host, self.port)
        } else if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// libpq's three lists: hosts, addresses and ports go together by position; one port serves all.
pub fn endpoints(hosts: &str, addresses: &str, ports: &str) -> Result<Vec<Endpoint>> {
    let list = |text: &str| -> Vec<String> {
        if text.is_empty() {
            Vec::new()
        } else {
            text.split(',').map(|one| one.trim().to_owned()).collect()
        }
    };
    let (hosts, addresses, ports) = (list(hosts), list(addresses), list(ports));
    let count = hosts.len().max(addresses.len()).max(1);
    let fits = |given: usize, one_for_all: bool| {
        given == 0 || given == count || (one_for_all && given == 1)
    };
    if !fits(hosts.len(), false) || !fits(addresses.len(), false) || !fits(ports.len(), true) {
        return Err(Error::unusable(
            "the list of hosts",
            "give the same number of hosts, addresses and ports (one port may serve all)",
        ));
    }
    (0..count)
        .map(|at| {
            let port = port(ports.get(at).or(ports.first()).map_or("", String::as_str))?;
            let address = addresses.get(at).filter(|a| !a.is_empty()).cloned();
            let host = match (hosts.get(at).filter(|h| !h.is_empty()), &address) {
                (Some(host), _) => host.clone(),
                (None, Some(address)) => address.clone(),
                (None, None) => socket_folder(port),
            };
            if host.starts_with('@') {
                return Err(Error::unusable(
                    "the host",
                    "an abstract unix socket (a name that begins with @) is not supported; give the folder of \
                     another socket, or -h localhost",
                ));
            }
            Ok(Endpoint {
                host,
                address,
                port,
            })
        })
        .collect()
}

fn port(text: &str) -> Result<u16> {
    if text.is_empty() {
        return Ok(5432);
    }
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Error::unusable(
            "the port",
            "it is not a number from 1 to 65535; if the password holds a / or ?, write %2F or %3F",
        )),
    }
}

/// The folder in which this port's socket is, else the first that exists.
fn socket_folder(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let with = |needle: &str| {
        SOCKET_FOLDERS
            .iter()
            .find(|folder| Path::new(folder).join(needle).exists())
    };
    with(&socket)
        .or_else(|| with(""))
        .map_or("/tmp", |folder| folder)
        .to_owned()
}
