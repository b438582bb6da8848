-- What a random schema turned out to hold, in an order of its own: by name.
SELECT kind, a, b, c FROM (
    SELECT 'table' AS kind, relname::text AS a, '' AS b, '' AS c FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'partitioned', relname::text, '', '' FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'partition', p.relname::text, c.relname::text, '' FROM pg_inherits i JOIN pg_class p ON p.oid = inhparent JOIN pg_class c ON c.oid = inhrelid WHERE p.relkind = 'p'
    UNION ALL SELECT 'column', c.relname::text, attname::text, '' FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        WHERE attnum > 0 AND NOT attisdropped AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', c.relname::text, conname::text, contype::text FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', c.relname::text, x.relname::text, '' FROM pg_index i JOIN pg_class c ON c.oid = indrelid JOIN pg_class x ON x.oid = indexrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'view', relname::text, '', '' FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'materialized', relname::text, '', '' FROM pg_class WHERE relkind = 'm' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'sequence', relname::text, '', '' FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', c.relname::text, tgname::text, '' FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL SELECT 'policy', c.relname::text, polname::text, '' FROM pg_policy p JOIN pg_class c ON c.oid = polrelid
    UNION ALL SELECT 'rule', c.relname::text, rulename::text, '' FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE c.relnamespace = 'public'::regnamespace AND rulename <> '_RETURN'
    UNION ALL SELECT 'statistics', stxname::text, '', '' FROM pg_statistic_ext
) x ORDER BY 1, 2, 3, 4
