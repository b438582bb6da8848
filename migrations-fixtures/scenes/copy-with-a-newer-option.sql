-- about an option of COPY that the server is too old for (cases/migrations/08)
-- until 16
-- setup
CREATE TABLE ships (id int);
-- migration
COPY ships FROM '/dev/null' (ON_ERROR ignore);
-- expect would_fail
