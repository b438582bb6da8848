-- How a run read and wrote its tables, as far as that is known: a model::Manner.
ALTER TABLE backup_run ADD COLUMN by_cursor INTEGER;
ALTER TABLE backup_run ADD COLUMN compressed INTEGER;
