WITH tables AS MATERIALIZED (
  SELECT c.oid, c.reltoastrelid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND (c.relname IN ($tables) AND c.relkind IN ('r', 'p')
          OR n.nspname IN ($schemas) AND c.relkind NOT IN ('i', 'I', 't', 'c'))),
owned AS MATERIALIZED (
  SELECT oid, oid AS root FROM tables
   UNION
  SELECT reltoastrelid, oid FROM tables WHERE reltoastrelid <> 0
   UNION
  SELECT d.objid, t.oid
    FROM tables t JOIN pg_depend d ON d.refobjid = t.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
   WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')),
own AS MATERIALIZED (
  SELECT oid, root FROM owned
   UNION
  SELECT i.indexrelid, o.root FROM owned o JOIN pg_index i ON i.indrelid = o.oid)