-- about DISCARD ALL puts session_replication_role back
-- setup
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent);
INSERT INTO parent VALUES (1);
-- holder other
BEGIN;
LOCK TABLE parent;
-- migration
SET session_replication_role = replica;
DISCARD ALL;
INSERT INTO child VALUES (1);
-- expect would_block at 3 behind other
