-- about a new label must be committed before it is used (cases/migrations/08, 1)
-- setup
CREATE TYPE st AS ENUM ('new', 'sent');
CREATE TABLE ships (id int PRIMARY KEY, state st DEFAULT 'new');
-- migration
BEGIN;
ALTER TYPE st ADD VALUE 'lost';
ALTER TABLE ships ALTER state SET DEFAULT 'lost';
COMMIT;
-- expect would_fail
