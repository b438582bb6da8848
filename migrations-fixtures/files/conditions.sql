-- Conditions that the catalog answers, and what comes after one that it does not.
CREATE TABLE parent (id int PRIMARY KEY, token text);
CREATE TABLE child (id int PRIMARY KEY, token text, parent_id int REFERENCES parent);
CREATE INDEX child_token ON child (token);
CREATE TYPE mood AS ENUM ('good');
-- file
DO $$ BEGIN
    IF NOT EXISTS (SELECT * FROM information_schema.constraint_column_usage
                   WHERE table_schema = 'public' AND table_name = 'parent' AND constraint_name = 'parent_token') THEN
        ALTER TABLE parent ADD CONSTRAINT parent_token UNIQUE (token);
    END IF;
    IF NOT EXISTS (SELECT * FROM information_schema.table_constraints
                   WHERE table_name = 'child' AND constraint_name = 'child_token_fkey') THEN
        ALTER TABLE child ADD CONSTRAINT child_token_fkey FOREIGN KEY (token) REFERENCES parent (token);
    END IF;
END $$;
DO $$ BEGIN
    IF (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nobody') = 0 THEN
        ALTER TABLE parent ADD COLUMN other text;
        ALTER TABLE parent ADD CONSTRAINT parent_other UNIQUE (other);
    END IF;
    ALTER TABLE child ADD COLUMN other text;
    ALTER TABLE child ADD CONSTRAINT child_other_fkey FOREIGN KEY (other) REFERENCES parent (other);
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_indexes WHERE schemaname = 'public' AND indexname = 'child_other') THEN
        CREATE INDEX child_other ON child (other);
    END IF;
    IF EXISTS (SELECT 1 FROM pg_indexes WHERE indexname = 'child_token') THEN
        DROP INDEX child_token;
    END IF;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
                   WHERE t.typname = 'mood' AND e.enumlabel = 'bad') THEN
        ALTER TYPE mood ADD VALUE 'bad';
    END IF;
END $$;
