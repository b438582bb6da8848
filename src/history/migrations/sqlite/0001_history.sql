-- The tables of a dump set, shared by all runs that dumped them. `names`: a JSON array of [schema, table].
CREATE TABLE table_set (
    id     INTEGER PRIMARY KEY,
    digest INTEGER NOT NULL,
    names  TEXT    NOT NULL
) STRICT;
CREATE INDEX table_set_digest ON table_set (digest);

-- One backup run. `figures`: what it tells of each table, packed (see src/history/tables.rs).
CREATE TABLE backup_run (
    id               INTEGER PRIMARY KEY,
    server           TEXT    NOT NULL,
    database         TEXT    NOT NULL,
    tool             TEXT    NOT NULL,
    role             TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    started          TEXT    NOT NULL,
    ended            TEXT    NOT NULL,
    outcome          TEXT    NOT NULL,
    workers          INTEGER NOT NULL,
    database_bytes   INTEGER NOT NULL,
    source           TEXT    NOT NULL,
    table_set        INTEGER REFERENCES table_set (id),
    figures          BLOB    NOT NULL,
    UNIQUE (server, database, tool, role, application_name, started)
) STRICT;
CREATE INDEX backup_run_started ON backup_run (server, database, started);

-- A dump that is still running, as it was seen so far. `state`: a backup::Watcher in JSON.
CREATE TABLE backup_watch (
    server           TEXT    NOT NULL,
    database         TEXT    NOT NULL,
    tool             TEXT    NOT NULL,
    role             TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    started          TEXT    NOT NULL,
    seen             TEXT    NOT NULL,
    instance         TEXT,
    pid              INTEGER NOT NULL,
    backend_start    TEXT,
    state            TEXT    NOT NULL,
    PRIMARY KEY (server, database, tool, role, application_name, started)
) STRICT;

-- Whom pgguard signalled: who asked, for what reason, and what became of it.
CREATE TABLE signal (
    id               INTEGER PRIMARY KEY,
    at               TEXT    NOT NULL,
    server           TEXT    NOT NULL,
    database         TEXT    NOT NULL,
    pid              INTEGER,
    gid              TEXT,
    role             TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    deed             TEXT    NOT NULL,
    asked_by         TEXT    NOT NULL,
    why              TEXT    NOT NULL,
    outcome          TEXT    NOT NULL
) STRICT;
CREATE INDEX signal_at ON signal (at);
