-- A migration that `pgguard run` watched, or watches. `facts`: a model::RunFacts in JSON.
CREATE TABLE pgguard.migration_run (
    run         text        PRIMARY KEY,
    server      text        NOT NULL,
    database    text        NOT NULL,
    host        text        NOT NULL,
    pid         bigint      NOT NULL,
    asked_by    text        NOT NULL,
    command     text        NOT NULL,
    started     timestamptz NOT NULL,
    seen        timestamptz NOT NULL,
    ended       timestamptz,
    result      text        NOT NULL,
    exit_status bigint,
    tries       bigint      NOT NULL,
    facts       text        NOT NULL
);
CREATE INDEX migration_run_started ON pgguard.migration_run (server, database, started);
