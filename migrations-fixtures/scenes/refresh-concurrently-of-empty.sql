-- about REFRESH … CONCURRENTLY needs a view that has been filled (cases/migrations/08, 2)
-- setup
CREATE TABLE t (id int);
-- migration
CREATE MATERIALIZED VIEW m AS SELECT id FROM t WITH NO DATA;
CREATE UNIQUE INDEX m_id ON m (id);
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
-- expect would_fail
