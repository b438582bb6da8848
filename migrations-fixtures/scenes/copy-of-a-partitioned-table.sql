-- about COPY reads no partitioned table before 19 (cases/migrations/08)
-- until 18
-- setup
CREATE TABLE moves (k int) PARTITION BY LIST (k);
-- migration
COPY moves TO STDOUT;
-- expect would_fail
