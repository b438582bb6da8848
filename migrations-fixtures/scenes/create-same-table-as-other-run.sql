-- about another run has made the table and not committed (cases/migrations/02)
-- setup
CREATE TABLE versions (v text);
-- holder other-run
BEGIN;
CREATE TABLE orders (id int);
INSERT INTO versions VALUES ('1');
-- migration
CREATE TABLE IF NOT EXISTS orders (id int);
-- expect cannot_tell
