-- pgroll (pkg/migrations/op_common.go, duplicate.go, pkg/backfill): columns, and the triggers that fill them.
SELECT 'pgroll' AS tool_object, t.oid, n.nspname, t.relname, o.what, o.name
  FROM (SELECT a.attrelid AS oid, 'column' AS what, pg_catalog.quote_ident(a.attname) AS name
          FROM pg_catalog.pg_attribute a
         WHERE a.attnum > 0 AND NOT a.attisdropped
           AND (a.attname ~ '^_pgroll_(new|del)_' OR a.attname = '_pgroll_needs_backfill')
        UNION ALL
        SELECT g.tgrelid, 'trigger', pg_catalog.quote_ident(g.tgname)
          FROM pg_catalog.pg_trigger g WHERE NOT g.tgisinternal AND g.tgname ~ '^_pgroll_trigger_'
        UNION ALL
        SELECT k.conrelid, 'constraint', pg_catalog.quote_ident(k.conname)
          FROM pg_catalog.pg_constraint k WHERE k.conrelid <> 0 AND k.conname ~ '^_pgroll_(dup|uniq|check_not_null)_') o
  JOIN pg_catalog.pg_class t ON t.oid = o.oid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 ORDER BY 1, 3, 4, 5 DESC, 6
