-- Which transaction was the last to change the columns of a relation, in 64 bits: as changes.sql has it, without the times
-- of commits. A number of 32 bits is the one next to where the server is.
SELECT n.nspname AS changed_by,
       c.relname,
       a.xid
  FROM (SELECT attrelid,
               pg_catalog.max(s.xmax + (xmin::text::int8 - s.xmax % 4294967296 + 6442450944) % 4294967296 - 2147483648)
                 FILTER (WHERE attnum > 0) AS xid,
               s.xmax
          FROM pg_catalog.pg_attribute,
               (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 AS xmax) s
         WHERE attrelid >= 16384 AND xmin::text::int8 > 2
         GROUP BY attrelid, s.xmax
        HAVING pg_catalog.min(xmin::text) <> pg_catalog.max(xmin::text)) a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 WHERE a.xid < a.xmax
 ORDER BY a.xid DESC
 LIMIT 5
