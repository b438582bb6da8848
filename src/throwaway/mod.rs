//! A throw-away Postgres server, for the demo and the tests: a real one, of a chosen major version,
//! ready in about a second, and gone afterwards whatever happens to the program that started it.
//!
//! ```no_run
//! # fn main() -> pgguard::Result<()> {
//! use pgguard::test_support::throwaway::{Options, Server};
//! let server = Server::start(&Options::default())?;
//! server.create_database("shop")?;
//! server.sql("shop", "CREATE TABLE orders (id int)")?;
//! println!("psql '{}'", server.url("shop"));
//! # Ok(())
//! # }
//! ```
//!
//! How it goes away: the server is the child of a small shell script (`supervise.sh`), which reads
//! from a pipe whose other end only this program holds. When the [`Server`] is dropped, when this
//! program ends, panics, is interrupted or is killed with SIGKILL, the pipe closes; the script then
//! stops the server and removes its folder. Nothing has to run in the dying program.

mod account;
mod binaries;
mod folder;
mod launch;
mod options;
mod server;
mod template;

pub use binaries::Binaries;
pub use folder::Scratch;
pub use options::Options;
pub use server::Server;
