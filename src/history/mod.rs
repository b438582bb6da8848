//! READ. Past backup runs: a SQLite file by default, a Postgres schema for teams.
