ALTER TABLE nobody ADD COLUMN total integer;
