-- about RI_FKey_check opens the referenced table before it sees that the key is NULL
-- setup
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent_id int REFERENCES parent);
-- holder app
BEGIN;
LOCK TABLE parent;
-- migration
INSERT INTO child (id) VALUES (1);
-- expect would_block at 1 behind app
