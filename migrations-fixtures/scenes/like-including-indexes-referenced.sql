-- about LIKE … INCLUDING INDEXES brings the key that a foreign key of the same statement references
-- setup
CREATE TABLE model (id int PRIMARY KEY, code int UNIQUE CHECK (code > 0));
-- migration
CREATE TABLE copy (above int REFERENCES copy, LIKE model INCLUDING ALL);
CREATE TABLE child (id int REFERENCES copy (id), code int REFERENCES copy (code));
ALTER TABLE copy DROP CONSTRAINT model_code_check;
-- expect clear
-- silent will refuse it
