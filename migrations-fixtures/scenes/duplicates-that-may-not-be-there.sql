-- about whether there are duplicates to delete only the rows tell: what their deletion reaches is a doubt
-- setup
CREATE TABLE ships (id int PRIMARY KEY, name text);
CREATE TABLE moves (ship int REFERENCES ships ON DELETE CASCADE);
INSERT INTO ships VALUES (1, 'a'), (2, 'b');
INSERT INTO moves VALUES (1);
-- holder other
BEGIN;
LOCK TABLE moves IN SHARE MODE;
-- migration
DELETE FROM ships a USING ships b WHERE a.id > b.id AND a.name = b.name;
-- expect cannot_tell
