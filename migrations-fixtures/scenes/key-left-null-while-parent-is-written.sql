-- about A key that is NULL looks no row up: an open change of the referenced table's rows is no doubt
-- setup
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent_id int REFERENCES parent);
INSERT INTO parent VALUES (1);
-- holder app
BEGIN;
DELETE FROM parent;
-- migration
INSERT INTO child (id, parent_id) VALUES (1, NULL);
-- expect clear
