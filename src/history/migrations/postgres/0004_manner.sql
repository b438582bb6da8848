-- How a run read and wrote its tables, as far as that is known: a model::Manner.
ALTER TABLE pgguard.backup_run
    ADD COLUMN by_cursor bigint,
    ADD COLUMN compressed bigint;
