//! What a server says of itself when a session begins.

use super::answer::Row;
use super::encoding::Encoding;
use crate::model::Server;

/// The answer to the first question.
pub(super) struct Greeting {
    pub server: Server,
    pub encoding: Encoding,
    pub query_size: usize,
    pub block_size: i64,
    pub read_only: bool,
}

impl Default for Greeting {
    fn default() -> Self {
        Self {
            server: Server::unknown(),
            encoding: Encoding::Utf8,
            query_size: 1024,
            block_size: 8192,
            read_only: false,
        }
    }
}

impl Greeting {
    pub fn take(&mut self, row: &Row<'_>, nonce: &str) {
        match row.kind() {
            "hello" => self.take_server(row, nonce),
            "setting" => {
                if let (Some(name), Some(value)) = (row.word(0), row.word(1)) {
                    self.server.settings.insert(name.into(), value.into());
                    if name == "deadlock_timeout" {
                        self.server.deadlock_timeout_ms = value.parse().unwrap_or(1000);
                    }
                }
            }
            _ => {}
        }
    }

    fn take_server(&mut self, row: &Row<'_>, nonce: &str) {
        let encoding = Encoding::named(row.word(10).unwrap_or_default());
        let server = &mut self.server;
        server.version_num = row.number(0).unwrap_or_default();
        server.own_pid = row.number(1).unwrap_or_default();
        server.datid = row.number(2).unwrap_or_default();
        server.datname = row.text(3, encoding).unwrap_or_default();
        server.user = row.text(4, encoding).unwrap_or_default();
        server.in_recovery = row.flag(5).unwrap_or_default();
        server.sees_all = row.flag(6).unwrap_or_default();
        server.max_connections = row.number(7).unwrap_or_default();
        server.started_at = row.time(8);
        server.system_identifier = row.word(9).map(str::to_owned);
        server.pooled = row.word(13) != Some(nonce);
        self.encoding = encoding;
        self.query_size = row.number(11).unwrap_or(1024);
        self.block_size = row.number(12).unwrap_or(8192);
        self.read_only = row.word(14) == Some("on");
    }
}
