-- The size of the tables that a dump copies, and the width of their rows in COPY's text form, from the
-- catalogs and what pg_stats lets the role see. Opens no relation of the user's: sizes are those of the
-- last vacuum or analyze.
SELECT c.oid::int8 AS "table", n.nspname, c.relname,
       c.relpages::int8 * current_setting('block_size')::int8 AS heap,
       coalesce(t.relpages, 0)::int8 * current_setting('block_size')::int8 AS toast,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8
            -- Never analyzed: the live rows that the cumulative statistics counted, if any.
            ELSE coalesce(nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0), -1)::float8 END AS tuples, c.relnatts AS columns, w.width
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (
    -- Printed digits are wider than stored numbers: by type where the width is fixed, as stored for
    -- text, twice for bytea (hexadecimal); a tab or newline after each column.
    SELECT sum(1 + (1 - s.null_frac) * CASE
               WHEN y.typname = 'bytea' THEN 2 * s.avg_width + 2
               WHEN y.typname = 'bool' THEN 1
               WHEN y.typname = 'int2' THEN 4
               WHEN y.typname IN ('int4', 'oid') THEN 7
               WHEN y.typname IN ('int8', 'float4') THEN 9
               WHEN y.typname = 'float8' THEN 14
               WHEN y.typname = 'numeric' THEN 1.2 * s.avg_width
               WHEN y.typname = 'date' THEN 10
               WHEN y.typname = 'timestamp' THEN 26
               WHEN y.typname = 'timestamptz' THEN 29
               WHEN y.typname = 'uuid' THEN 36
               WHEN y.typname = 'jsonb' THEN 1.3 * s.avg_width
               ELSE s.avg_width END + s.null_frac * 2)::float8 AS width
    FROM pg_catalog.pg_stats s
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited
) w ON {WIDTHS}
WHERE c.oid = ANY ('{OIDS}'::oid[]) AND c.relkind = 'r'
