-- What is there before the first statement, as (kind, oid, further). Names go by a copy's superuser.
SELECT 'relation' AS kind, c.oid::text AS oid, c.relkind::text AS what, n.nspname::text AS schema, c.relname::text AS name,
       c.relfilenode::text AS file,
       coalesce(t.oid, i.indrelid)::text AS owner
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.reltoastrelid = c.oid AND c.relkind = 't'
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.oid >= 16384
UNION ALL
-- Row types go with their relations.
SELECT 'object', t.oid::text, '1247', n.nspname, t.typname, 'type', NULL
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid >= 16384 AND t.typrelid = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typrelid <> 0)
UNION ALL
SELECT 'object', oid::text, '2615', '', nspname, 'schema', NULL FROM pg_catalog.pg_namespace
UNION ALL
SELECT 'object', p.oid::text, '1255', n.nspname, p.proname, 'function', NULL
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384
UNION ALL
SELECT 'object', oid::text, '3079', '', extname, 'extension', NULL FROM pg_catalog.pg_extension
UNION ALL
SELECT 'object', oid::text, '6104', '', pubname, 'publication', NULL FROM pg_catalog.pg_publication
