-- about Postgres refuses it for certain (cases/migrations/23)
-- setup
CREATE TABLE t (id int);
-- migration
CREATE TABLE t (id int);
-- expect would_fail
