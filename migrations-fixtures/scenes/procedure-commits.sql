-- about COMMIT in a procedure lets its locks go: none of them is held meanwhile (cases/migrations/10 B)
-- setup
CREATE TABLE a1 (id int);
CREATE TABLE a2 (id int);
CREATE PROCEDURE widen() LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE a2 ADD COLUMN IF NOT EXISTS x int;
    COMMIT;
    ALTER TABLE a1 ADD COLUMN IF NOT EXISTS x int;
END $$;
-- holder reader
BEGIN;
SELECT * FROM a1;
-- migration
CALL widen();
-- expect would_block at 1 behind reader
-- silent ACCESS EXCLUSIVE on public.a2
