-- about a view that can be written leads to the base table's foreign key (cases/migrations/24)
-- setup
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (a int REFERENCES p);
CREATE VIEW v AS SELECT * FROM c;
INSERT INTO p VALUES (1);
-- holder other
BEGIN;
LOCK TABLE p;
-- migration
INSERT INTO v VALUES (1);
-- expect would_block at 1 behind other
