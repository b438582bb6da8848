-- about ordinary statements on a silent server
-- setup
CREATE TABLE t (id int);
-- migration
ALTER TABLE t ADD COLUMN k int;
COMMENT ON TABLE t IS 'x';
-- expect clear
