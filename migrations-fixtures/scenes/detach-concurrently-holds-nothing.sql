-- about while DETACH CONCURRENTLY waits it holds no lock on a relation (cases/migrations/10)
-- setup
CREATE TABLE senders (id int PRIMARY KEY);
CREATE TABLE letters (id bigint, sender int REFERENCES senders (id)) PARTITION BY LIST (sender);
CREATE TABLE letters_1 PARTITION OF letters FOR VALUES IN (1);
-- holder reader
BEGIN;
SELECT * FROM letters;
-- migration
ALTER TABLE letters DETACH PARTITION letters_1 CONCURRENTLY;
-- expect would_block at 1 behind reader
