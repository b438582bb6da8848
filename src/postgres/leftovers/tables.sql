-- Tables of these names, with their columns. Columns of a type of somebody's own do not count: reading them could run
-- its casts. Neither do tables with a policy. Whether anybody has or awaits the one lock that a reader would queue behind.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS tool_table,
       n.nspname,
       c.relname,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       EXISTS (SELECT FROM pg_catalog.pg_locks l
                WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock'
                  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())),
       (SELECT pg_catalog.string_agg(a.attname, ',') FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid < 16384 AND a.attgenerated = ''),
       (SELECT pg_catalog.string_agg(a.attname, ',') FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'timestamptz'::regtype AND a.attgenerated = '')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY ($names) AND c.relkind = 'r'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY n.nspname, c.relname
