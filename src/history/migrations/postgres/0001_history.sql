-- The tables of a dump set, shared by all runs that dumped them. `names`: a JSON array of [schema, table].
CREATE TABLE pgguard.table_set (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bigint NOT NULL,
    names  text   NOT NULL
);
CREATE INDEX table_set_digest ON pgguard.table_set (digest);

-- One backup run. `figures`: what it tells of each table, packed (see src/history/tables.rs).
CREATE TABLE pgguard.backup_run (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server           text        NOT NULL,
    database         text        NOT NULL,
    tool             text        NOT NULL,
    role             text        NOT NULL,
    application_name text        NOT NULL,
    started          timestamptz NOT NULL,
    ended            timestamptz NOT NULL,
    outcome          text        NOT NULL,
    workers          bigint      NOT NULL,
    database_bytes   bigint      NOT NULL,
    source           text        NOT NULL,
    table_set        bigint      REFERENCES pgguard.table_set (id),
    figures          bytea       NOT NULL,
    UNIQUE (server, database, tool, role, application_name, started)
);
CREATE INDEX backup_run_started ON pgguard.backup_run (server, database, started);

-- A dump that is still running, as it was seen so far. `state`: a backup::Watcher in JSON.
CREATE TABLE pgguard.backup_watch (
    server           text        NOT NULL,
    database         text        NOT NULL,
    tool             text        NOT NULL,
    role             text        NOT NULL,
    application_name text        NOT NULL,
    started          timestamptz NOT NULL,
    seen             timestamptz NOT NULL,
    instance         timestamptz,
    pid              bigint      NOT NULL,
    backend_start    timestamptz,
    state            text        NOT NULL,
    PRIMARY KEY (server, database, tool, role, application_name, started)
);

-- Whom pgguard signalled: who asked, for what reason, and what became of it.
CREATE TABLE pgguard.signal (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               timestamptz NOT NULL,
    server           text        NOT NULL,
    database         text        NOT NULL,
    pid              bigint,
    gid              text,
    role             text        NOT NULL,
    application_name text        NOT NULL,
    kind             text        NOT NULL,
    deed             text        NOT NULL,
    asked_by         text        NOT NULL,
    why              text        NOT NULL,
    outcome          text        NOT NULL
);
CREATE INDEX signal_at ON pgguard.signal (at);
