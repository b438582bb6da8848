-- A migration that `pgguard run` watched, or watches. `facts`: a model::RunFacts in JSON.
CREATE TABLE migration_run (
    run         TEXT    PRIMARY KEY,
    server      TEXT    NOT NULL,
    database    TEXT    NOT NULL,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    asked_by    TEXT    NOT NULL,
    command     TEXT    NOT NULL,
    started     TEXT    NOT NULL,
    seen        TEXT    NOT NULL,
    ended       TEXT,
    result      TEXT    NOT NULL,
    exit_status INTEGER,
    tries       INTEGER NOT NULL,
    facts       TEXT    NOT NULL
) STRICT;
CREATE INDEX migration_run_started ON migration_run (server, database, started);
