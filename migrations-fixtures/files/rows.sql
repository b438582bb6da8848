-- What rows set in motion, where there are none, or their values leave nothing to look up.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent, v text);
CREATE TABLE pair (name text PRIMARY KEY);
CREATE TABLE uses_pair (id int, name text REFERENCES pair ON UPDATE CASCADE);
CREATE TABLE empty (id int, v text);
CREATE SEQUENCE numbers;
CREATE SEQUENCE others;
INSERT INTO pair VALUES ('old');
-- file
INSERT INTO child (v) VALUES ('a'), ('b');
INSERT INTO child (parent_id, v) VALUES (NULL, 'c');
INSERT INTO child VALUES (DEFAULT, NULL, 'd');
INSERT INTO child (v) SELECT v FROM child;
UPDATE empty SET v = 'n' || nextval('numbers') WHERE v IS NULL;
INSERT INTO child (v) SELECT nextval('others')::text FROM empty;
SELECT setval('numbers', coalesce(max(id), 1)) FROM empty;
UPDATE pair SET name = 'new' WHERE name = 'old';
ALTER TABLE empty ADD COLUMN last bigint DEFAULT currval('numbers');
