-- Every table and column outside of the system's schemas, by name and type. Opens no user's relation.
SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname)
       || coalesce(' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), '') AS line
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
