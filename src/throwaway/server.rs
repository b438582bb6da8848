//! One throw-away server: its folder, its life, and how to reach it.

use super::account::Account;
use super::binaries::Binaries;
use super::folder::{self, Folder, cannot_prepare};
use super::launch::{KEEP, Origin, foreign_settings, free_port, lay_out, supervisor};
use super::options::Options;
use crate::{Error, Result};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest that a server may take to be ready (a loaded CI machine, a cold disk).
const PATIENCE: Duration = Duration::from_secs(90);

/// Tables and rows of a small shop: enough that a backup of it can stall.
const SHOP: &str = include_str!("shop.sql");

/// The superuser of every throw-away server.
const SUPERUSER: &str = "postgres";

/// A running throw-away server; gone when dropped, or when this program ends in any way.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    account: Account,
    folder: PathBuf,
    /// Where its data directory may be kept.
    kept: Option<PathBuf>,
    port: u16,
    superuser: String,
    password: String,
    supervisor: Child,
}

impl Server {
    /// Starts a server and waits until it takes connections. Blocks the thread for about a second.
    ///
    /// # Errors
    /// No installation is found, no account may run it, or it does not start; the message has the
    /// end of its log.
    pub fn start(options: &Options) -> Result<Self> {
        let binaries = match &options.bin {
            Some(folder) => Binaries::in_folder(folder)?,
            None => Binaries::find(options.major)?,
        };
        let account = Account::choose()?;
        let mut options = options.clone();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut server = Self::launch(binaries.clone(), account, &options)?;
            match server.until_ready() {
                Ok(()) => {
                    server.protect()?;
                    return Ok(server);
                }
                // Somebody took the port between our look and the server's.
                Err(log) if attempts < 5 && log.contains("Address already in use") => {}
                // What was kept is damaged in a way that its sums do not show.
                Err(_) if !server.loaded().is_empty() => {
                    server.forget();
                    options.kept = None;
                }
                // It ended before it could say why: the machine is short of something for a moment.
                Err(log) if attempts < 3 && log.trim().is_empty() => {}
                Err(log) => {
                    return Err(Error::Program {
                        program: binaries.program("postgres").display().to_string(),
                        why: format!("the throw-away server did not start: {}", log.trim()),
                        help: "another installation can be named in PGGUARD_PG_BIN".into(),
                    });
                }
            }
        }
    }

    /// Lays out the folder and starts the supervisor in it.
    fn launch(binaries: Binaries, account: Account, options: &Options) -> Result<Self> {
        let port = free_port().map_err(|error| cannot_prepare("a free port".as_ref(), &error))?;
        let ours = Folder::new(account)?;
        let path = ours.path().to_owned();
        let failed = |error| cannot_prepare(&path, &error);
        lay_out(&ours, port, options).map_err(failed)?;
        let folder = ours.give().map_err(failed)?;
        let superuser = options.superuser.clone();
        let superuser = superuser.unwrap_or_else(|| SUPERUSER.to_owned());
        let origin = Origin::of(&binaries, account, &superuser, options);
        let supervisor = supervisor(&binaries, account, &folder, &origin, options)
            .spawn()
            .map_err(|error| {
                // Until the supervisor runs, nobody but us removes the folder.
                let _ = std::fs::remove_dir_all(&folder);
                failed(error)
            })?;
        Ok(Self {
            binaries,
            account,
            folder,
            kept: origin.kept,
            port,
            superuser,
            password: String::new(),
            supervisor,
        })
    }

    /// Waits until the postmaster says it is ready; its log if it ended instead.
    fn until_ready(&mut self) -> std::result::Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.is_ready() {
                return Ok(());
            }
            if self.folder.join("ended").exists()
                || matches!(self.supervisor.try_wait(), Ok(Some(_)))
            {
                return Err(self.log());
            }
            sleep(Duration::from_millis(10));
        }
        Err(format!(
            "not ready after {} s; {}",
            PATIENCE.as_secs(),
            self.log()
        ))
    }

    /// The postmaster writes its state into the 8th line of its lock file (`miscinit.c`,
    /// `LOCK_FILE_LINE_PM_STATUS`).
    fn is_ready(&self) -> bool {
        let file = folder::read(&self.folder.join("data/postmaster.pid"));
        let state = file.split(|byte| *byte == b'\n').nth(7);
        state.is_some_and(|state| state.trim_ascii() == b"ready")
    }

    /// Gives the superuser a random password, which only this program knows, for TCP.
    fn protect(&mut self) -> Result<()> {
        let mut random = [0_u8; 24];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(|error| cannot_prepare("/dev/urandom".as_ref(), &error))?;
        self.password = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let statement = format!(
            "ALTER ROLE \"{}\" PASSWORD '{}'",
            self.superuser, self.password
        );
        self.sql("postgres", &statement).map(drop)
    }

    /// The server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        // What the collector writes, where the server has one, goes elsewhere.
        let collected = self.data_dir().join("log/postgresql.csv");
        let mut said = folder::read(&self.folder.join("log"));
        said.extend(folder::read(&collected));
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Puts a file into the data directory, as the server's account: another could be led elsewhere by a link.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.data_dir().join(name);
        let done = self.script("umask 077; cat >\"$1\"", &[&path], bytes);
        done.map_err(|error| cannot_prepare(&path, &error))
    }

    /// What was loaded into the data directory that it began with; empty: it began as initdb makes it.
    #[must_use]
    pub fn loaded(&self) -> String {
        let said = folder::read(&self.folder.join("loaded"));
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Keeps its data directory in the cache, for servers that start with the same [`Options::kept`]; nothing where
    /// that named none, or there is no cache. Nobody may be at work in it. `loaded`: what was loaded into it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, loaded: &str) -> Result<()> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        // With nothing to be written any more, its files are those that a crash would leave.
        self.sql("postgres", "CHECKPOINT")?;
        let done = self.script(KEEP, &[&self.folder, kept], loaded.as_bytes());
        done.map_err(|error| cannot_prepare(kept, &error))
    }

    /// Removes what it began with from the cache.
    pub fn forget(&self) {
        if let Some(kept) = &self.kept {
            // Without that, the next one finds it damaged as well.
            let _ = self.script("rm -rf -- \"$1\"", &[kept], b"");
        }
    }

    /// Runs a script of the shell as the server's account.
    fn script(&self, text: &str, arguments: &[&Path], input: &[u8]) -> std::io::Result<()> {
        let mut running = self
            .account
            .command("/bin/sh")
            .args(["-c", text, "sh"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let written = running.stdin.take().map(|mut pipe| pipe.write_all(input));
        let status = running.wait()?;
        match written {
            Some(Ok(())) if status.success() => Ok(()),
            Some(Err(error)) => Err(error),
            _ => Err(std::io::Error::other(status.to_string())),
        }
    }

    /// The installation that it runs from.
    #[must_use]
    pub const fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The major version, such as 15.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.binaries.major()
    }

    /// The version as the server says it, such as `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.binaries.version()
    }

    /// One of the installation's programs, such as `pg_dump`.
    #[must_use]
    pub fn bin(&self, name: &str) -> PathBuf {
        self.binaries.program(name)
    }

    /// The TCP port on 127.0.0.1, which is also in the socket's name.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The private folder of the socket, short enough for a socket's name.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.folder
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The superuser's password over TCP; the socket asks for none.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A database's URL through the private socket, as the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(&self.superuser, database)
    }

    /// A database's URL through the private socket, as this role.
    #[must_use]
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let (database, role) = (percent_encoded(database), percent_encoded(role));
        let folder = self.folder.display();
        format!(
            "postgres:///{database}?host={folder}&port={}&user={role}",
            self.port
        )
    }

    /// A database's URL over TCP, with the superuser's password in it.
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> String {
        let (password, port, database) = (&self.password, self.port, percent_encoded(database));
        let superuser = percent_encoded(&self.superuser);
        format!("postgres://{superuser}:{password}@127.0.0.1:{port}/{database}")
    }

    /// What libpq's programs need in their environment to reach it through the socket.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("PGHOST", self.folder.clone().into_os_string()),
            ("PGPORT", self.port.to_string().into()),
            ("PGUSER", self.superuser.clone().into()),
            ("PGDATABASE", "postgres".into()),
        ]
    }

    /// One of the installation's programs, about to be run against this server and no other: no
    /// setting of the user's for libpq reaches it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin(program));
        for name in foreign_settings() {
            command.env_remove(name);
        }
        command.envs(self.env());
        command
    }

    /// Runs SQL, statement by statement, and gives what `psql -At` prints.
    ///
    /// # Errors
    /// `psql` cannot be run, or a statement fails; the message has what the server said.
    pub fn sql(&self, database: &str, text: &str) -> Result<String> {
        let psql = self.bin("psql");
        let failed = |why: String| Error::Server {
            what: format!("run SQL in {database} of the throw-away server"),
            why,
            help: format!("it was run with {}", psql.display()),
        };
        let mut child = self
            .command("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                "-",
                "-d",
                database,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut input = child
            .stdin
            .take()
            .ok_or_else(|| failed("no standard input".into()))?;
        // A thread of its own: psql may print before it has read all.
        let text = text.to_owned();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child
            .wait_with_output()
            .map_err(|error| failed(error.to_string()))?;
        // psql closes its input early only when a statement failed, and then says so itself.
        let _ = writer.join();
        if !output.status.success() {
            return Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned())
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// The server refuses.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.create_database_from(name, "template1")
    }

    /// Creates a database with a small shop in it: customers, products, orders, order_items.
    ///
    /// # Errors
    /// The server refuses.
    pub fn create_shop(&self, name: &str) -> Result<()> {
        self.create_database(name)?;
        self.sql(name, SHOP).map(drop)
    }

    /// Creates a copy of a database that nobody is connected to.
    ///
    /// # Errors
    /// The server refuses.
    pub fn create_database_from(&self, name: &str, template: &str) -> Result<()> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE {}",
            quoted(name),
            quoted(template)
        );
        self.sql("postgres", &statement).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closes the pipe, and waits until the supervisor has stopped the server and cleared up.
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_urls_survive_every_character() {
        assert_eq!(percent_encoded("shop_1"), "shop_1");
        assert_eq!(percent_encoded("a b/ü"), "a%20b%2F%C3%BC");
    }
}
