-- Schemas for temporary relations, of those that somebody has locked.
SELECT n.oid AS schema
  FROM pg_catalog.pg_namespace n
 WHERE n.oid = ANY ('$oids'::oid[])
   AND n.nspname LIKE 'pg\_temp\_%'
