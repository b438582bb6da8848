-- about a column that the table does not have (cases/migrations/08)
-- setup
CREATE TABLE ships (id int);
-- migration
UPDATE ships SET harbour = 'Kiel';
-- expect would_fail
