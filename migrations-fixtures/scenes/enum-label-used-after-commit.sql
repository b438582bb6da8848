-- about a label that is committed, or of a type of the same transaction, may be used (cases/migrations/08, 1)
-- since 17
-- options --transaction statement
-- setup
CREATE TYPE st AS ENUM ('new', 'sent');
CREATE TABLE ships (id int PRIMARY KEY, state st DEFAULT 'new');
-- migration
ALTER TYPE st ADD VALUE 'lost';
ALTER TABLE ships ALTER state SET DEFAULT 'lost';
BEGIN;
CREATE TYPE fresh AS ENUM ('a');
ALTER TYPE fresh ADD VALUE 'b';
CREATE TABLE f (x fresh);
INSERT INTO f VALUES ('b');
COMMIT;
-- expect clear
-- silent will refuse it
