-- about a table that is in a publication already (cases/migrations/08, 7)
-- setup
CREATE TABLE t (id int);
CREATE PUBLICATION p FOR TABLE t;
-- migration
ALTER PUBLICATION p ADD TABLE t;
-- expect would_fail
