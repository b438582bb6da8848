-- about WHERE may leave the locked partition out: a doubt, and no certain wait (cases/migrations/23, 4)
-- setup
CREATE TABLE pt (a int, v int) PARTITION BY LIST (a);
CREATE TABLE pt1 PARTITION OF pt FOR VALUES IN (1);
CREATE TABLE pt2 PARTITION OF pt FOR VALUES IN (2);
INSERT INTO pt VALUES (1, 1), (2, 2);
-- holder locker
BEGIN;
LOCK TABLE pt2 IN ACCESS EXCLUSIVE MODE;
-- migration
UPDATE pt SET v = 1 WHERE a = 1;
-- expect cannot_tell
