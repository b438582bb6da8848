-- about CREATE OR REPLACE VIEW cannot drop columns (cases/migrations/08, 3)
-- setup
CREATE TABLE t (id int, a int);
CREATE VIEW v AS SELECT id, a FROM t;
-- migration
CREATE OR REPLACE VIEW v AS SELECT id FROM t;
-- expect would_fail
