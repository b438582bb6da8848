-- Tables of these names, with their columns, and whether anybody has or awaits the one lock that a reader
-- would queue behind. Columns of a type of somebody's own do not count: reading them could run its casts. Reads the catalog and pg_locks only: no lock on a user relation.
SELECT c.oid,
       format('%I.%I', n.nspname, c.relname) AS name,
       c.relname::text AS relation,
       v.place IS NOT NULL AS is_visible,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS is_readable,
       current_user::text AS role,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid < 16384) AS columns,
       EXISTS (SELECT FROM pg_locks l
                WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock'
                  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AS is_locked
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
      -- the schema of the session's own path that is first to have this name
      SELECT min(place) AS place
        FROM unnest(current_setting('pgguard.schemas')::name[]) WITH ORDINALITY own (name, place)
        JOIN pg_namespace o ON o.nspname = own.name
        JOIN pg_class same ON same.relnamespace = o.oid AND same.relname = c.relname
      HAVING (array_agg(o.oid ORDER BY place))[1] = n.oid) v ON true
 WHERE c.relname = ANY ($1) AND c.relkind IN ('r', 'p')
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY v.place IS NOT NULL DESC, n.nspname
