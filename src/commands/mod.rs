//! One file a command: read, decide, render. No rules of Postgres in here.
