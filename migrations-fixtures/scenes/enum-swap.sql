-- about the type may go once its columns have left it (cases/migrations/07)
-- setup
CREATE TYPE st AS ENUM ('new', 'sent');
CREATE TABLE ships (id int PRIMARY KEY, state st DEFAULT 'new');
CREATE INDEX ON ships (state);
-- migration
BEGIN;
CREATE TYPE st_new AS ENUM ('new');
ALTER TABLE ships ALTER COLUMN state DROP DEFAULT;
ALTER TABLE ships ALTER COLUMN state TYPE st_new USING (state::text::st_new);
ALTER TYPE st RENAME TO st_old;
ALTER TYPE st_new RENAME TO st;
DROP TYPE public.st_old;
COMMIT;
-- expect clear
-- silent will refuse
