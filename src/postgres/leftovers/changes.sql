-- When columns last changed: the commit of the rows of pg_attribute. ANALYZE, VACUUM, GRANT and CREATE INDEX leave them
-- as they are. A relation whose rows are all of one transaction is new: nobody knows older columns of it (partitions are
-- made each day). Only where track_commit_timestamp is on: elsewhere the function is an error.
SELECT n.nspname AS change,
       c.relname,
       a.at
  FROM (SELECT attrelid, pg_catalog.max(pg_catalog.pg_xact_commit_timestamp(xmin)) FILTER (WHERE attnum > 0) AS at
          FROM pg_catalog.pg_attribute
         WHERE attrelid >= 16384 AND xmin::text::int8 > 2
         GROUP BY attrelid
        HAVING pg_catalog.min(xmin::text) <> pg_catalog.max(xmin::text)) a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 WHERE a.at IS NOT NULL
 ORDER BY a.at DESC
 LIMIT 5
