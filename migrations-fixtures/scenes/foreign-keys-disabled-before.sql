-- about DISABLE TRIGGER ALL: foreign keys are not checked after it (a neighbour of cases/migrations/10 C)
-- setup
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent);
-- holder locker
BEGIN;
LOCK TABLE parent IN ACCESS EXCLUSIVE MODE;
-- migration
ALTER TABLE child DISABLE TRIGGER ALL;
INSERT INTO child VALUES (1);
-- expect clear
