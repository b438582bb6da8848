-- Functions whose body is stored parsed, and functions of one name.
CREATE TABLE t (id int PRIMARY KEY, v text, n int);
CREATE TABLE rates (id int PRIMARY KEY, rate int);
INSERT INTO t VALUES (1, 'a', 1); INSERT INTO rates VALUES (1, 2);
CREATE FUNCTION cleaned(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN regexp_replace($1, '[^a-z]', '', 'g');
CREATE FUNCTION words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE RETURN to_tsvector('simple', cleaned($1));
CREATE FUNCTION rate_of(int) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT rate FROM rates WHERE id = $1; END;
CREATE FUNCTION several(text, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION several(text, text[], integer, boolean) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shaped(int) RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT 1, ''x''';
-- file
CREATE INDEX t_words ON t USING gin (words(v));
ALTER TABLE t ADD COLUMN searched tsvector GENERATED ALWAYS AS (words(v)) STORED;
ALTER TABLE t ADD COLUMN more text GENERATED ALWAYS AS (cleaned(v)) STORED;
UPDATE t SET n = rate_of(id);
SELECT rate_of(1);
DROP FUNCTION several(text, text[], integer, boolean);
CREATE OR REPLACE FUNCTION shaped(int) RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT 2, ''y''';
DROP FUNCTION shaped(int);
CREATE FUNCTION several(uuid, jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION several(uuid, jsonb);
