-- Text that a body puts together: constants, variables, loops over constants, and parts that no lock depends on.
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE odd_user (id int PRIMARY KEY, v text);
CREATE TABLE "User" (id int PRIMARY KEY, "updatedAt" timestamptz);
CREATE TABLE p (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE h (id int) PARTITION BY HASH (id);
CREATE SEQUENCE s;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION track(_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('CREATE TRIGGER tracked BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION touch()', _table); END $$;
INSERT INTO t VALUES (1, 'a');
-- file
DO $$ DECLARE owner_name text := coalesce(current_setting('app.owner', true), 'postgres'); BEGIN
    EXECUTE 'GRANT SELECT ON t TO ' || owner_name;
    EXECUTE 'ALTER TABLE odd_user OWNER TO ' || owner_name;
END $$;
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['t', 'odd_user'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN IF NOT EXISTS added int', name);
    END LOOP;
END $$;
DO $$ DECLARE tables text[] := ARRAY['User']; one text; BEGIN
    FOREACH one IN ARRAY tables LOOP
        EXECUTE 'ALTER TABLE ' || quote_ident(one) || ' ENABLE ROW LEVEL SECURITY';
    END LOOP;
END $$;
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM (VALUES ('t', 'one'), ('odd_user', 'two')) AS v (relation, label) LOOP
        EXECUTE format('COMMENT ON TABLE %I IS %L', r.relation, r.label);
    END LOOP;
END $$;
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT unnest(ARRAY['t', 'odd_user']) AS name LOOP
        EXECUTE format('CREATE INDEX %I ON %I (v)', r.name || '_v', r.name);
    END LOOP;
END $$;
DO $$ BEGIN
    FOR i IN 0..3 LOOP
        EXECUTE format('CREATE TABLE h_%s PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER %s)', i, i);
    END LOOP;
END $$;
DO $$ DECLARE part text; day date := date '2026-01-01'; BEGIN
    part := 'p_' || to_char(day, 'YYYYMM');
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF p FOR VALUES FROM (%L) TO (%L)', part, day, day + 31);
    EXECUTE format('CREATE INDEX %I ON %I (id)', part || '_id', part);
END $$;
DO $$ DECLARE top bigint; BEGIN
    SELECT coalesce(max(id), 1) INTO top FROM t;
    EXECUTE format('ALTER SEQUENCE s RESTART WITH %s', top);
END $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$;
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$;
SELECT track('t');
SELECT track('"User"');
DO $$ DECLARE r t%ROWTYPE; found_value text; BEGIN
    SELECT * INTO r FROM t LIMIT 1;
    EXECUTE format('SELECT ($1).%I', 'v') INTO found_value USING r;
END $$;
