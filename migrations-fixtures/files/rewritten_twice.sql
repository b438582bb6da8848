-- A table that is written anew twice has another TOAST table the second time.
CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz, n int);
CREATE INDEX t_v ON t (v);
CREATE MATERIALIZED VIEW m AS SELECT 'x'::text AS v;
-- file
ALTER TABLE t ALTER COLUMN at TYPE timestamp USING at AT TIME ZONE 'UTC';
ALTER TABLE t ALTER COLUMN n TYPE bigint;
ALTER TABLE t ALTER COLUMN v SET STORAGE EXTERNAL;
ALTER TABLE t SET (toast.autovacuum_enabled = off);
ALTER TABLE t SET UNLOGGED;
REFRESH MATERIALIZED VIEW m;
REFRESH MATERIALIZED VIEW m;
CLUSTER t USING t_v;
TRUNCATE t;
DROP TABLE t;
