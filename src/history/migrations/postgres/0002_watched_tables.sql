-- The tables of a running dump apart from its state, by the names that past runs share. `tables`: see
-- src/history/watched.rs. Both are NULL in rows of an older pgguard, which had the tables in the state.
ALTER TABLE pgguard.backup_watch
    ADD COLUMN table_set bigint REFERENCES pgguard.table_set (id),
    ADD COLUMN tables    text;
