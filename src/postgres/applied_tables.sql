-- Tables of these names, with their columns, and whether anybody has or awaits the one lock that a reader
-- would queue behind. Reads the catalog and pg_locks only: no lock on a user relation.
SELECT c.oid,
       format('%I.%I', n.nspname, c.relname) AS name,
       c.relname::text AS relation,
       pg_table_is_visible(c.oid) AS is_visible,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS is_readable,
       current_user::text AS role,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       EXISTS (SELECT FROM pg_locks l
                WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock'
                  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AS is_locked
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY ($1) AND c.relkind IN ('r', 'p')
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY pg_table_is_visible(c.oid) DESC, n.nspname
