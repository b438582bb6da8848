-- about SET LOCAL ends with the transaction, and the foreign key is checked again
-- setup
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent);
INSERT INTO parent VALUES (1);
-- holder other
BEGIN;
LOCK TABLE parent;
-- migration
BEGIN;
SET LOCAL session_replication_role = replica;
COMMIT;
INSERT INTO child VALUES (1);
-- expect would_block at 4 behind other
