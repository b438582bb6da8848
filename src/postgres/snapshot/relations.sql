-- Catalog rows by oid: no function that would open, and so lock, a relation of the user's.
SELECT c.oid AS relation,
       n.nspname,
       c.relname,
       c.relkind,
       c.relpages,
       c.reltuples,
       c.relispartition
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ('$oids'::oid[])
