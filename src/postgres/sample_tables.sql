-- The tables to read a few rows of, in this order: their names, and the columns that pg_dump copies of them
-- (generated ones are computed again). Reads catalogs only. A role without SELECT on all of a table, or of
-- whose rows policies hide some, is told so.
SELECT c.oid::int8 AS "table", pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, w.columns,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND NOT pg_catalog.row_security_active(c.oid) AS is_readable
FROM pg_catalog.unnest('{OIDS}'::oid[]) WITH ORDINALITY asked (oid, place)
JOIN pg_catalog.pg_class c ON c.oid = asked.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
) w
ORDER BY asked.place
