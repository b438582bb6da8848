-- about a trigger that the migration has disabled does not fire (cases/migrations/10 C)
-- setup
CREATE TABLE log (id int);
CREATE TABLE needs (id int, v int);
INSERT INTO needs VALUES (1, 1);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'INSERT INTO log VALUES (1)'; RETURN NULL; END $$;
CREATE TRIGGER needs_audit AFTER UPDATE ON needs FOR EACH ROW EXECUTE FUNCTION audit();
-- holder locker
BEGIN;
LOCK TABLE log IN ACCESS EXCLUSIVE MODE;
-- migration
BEGIN;
ALTER TABLE needs DISABLE TRIGGER needs_audit;
UPDATE needs SET v = 2;
ALTER TABLE needs ENABLE TRIGGER needs_audit;
COMMIT;
-- expect clear
