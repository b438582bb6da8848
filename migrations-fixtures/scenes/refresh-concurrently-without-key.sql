-- about REFRESH … CONCURRENTLY needs a unique index on every row (cases/migrations/08, 2)
-- setup
CREATE TABLE t (id int);
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX m_some ON m (id) WHERE id > 0;
-- migration
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
-- expect would_fail
