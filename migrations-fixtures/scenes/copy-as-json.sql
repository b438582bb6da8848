-- about COPY writes JSON since 19 (cases/migrations/08)
-- until 18
-- setup
CREATE TABLE ships (id int);
-- migration
COPY ships TO STDOUT (FORMAT json);
-- expect would_fail
