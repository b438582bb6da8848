-- The size of the tables that a dump copies, and what their columns look like, from the catalogs and what
-- pg_stats lets the role see. Opens no relation of the user's: sizes are those of the last vacuum or
-- analyze, in blocks of 8 KiB; live rows are the count of the cumulative statistics. A row of pg_largeobject has a
-- quarter of a block (LOBLKSIZE, large_object.h).
SELECT c.oid::int8 AS "table", n.nspname, c.relname,
       (c.relpages::float8 * b.size / 8192)::float8 AS pages,
       (coalesce(t.relpages, 0)::float8 * b.size / 8192)::float8 AS toast_pages,
       c.reltuples::float8 AS tuples,
       coalesce(pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::float8 AS live,
       w.columns::text,
       (SELECT greatest(l.reltuples, 0)::float8 FROM pg_catalog.pg_class l
         WHERE l.oid = 'pg_catalog.pg_largeobject_metadata'::regclass) AS large_objects,
       pg_catalog.pg_stat_get_numscans(c.oid)::float8 AS scans,
       pg_catalog.pg_stat_get_tuples_returned(c.oid)::float8 AS reads,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid)::float8 AS inserted,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid)::float8 AS deleted,
       (SELECT greatest(pg_catalog.pg_stat_get_live_tuples(l.oid)::float8, l.reltuples::float8, 0) * b.size / 4
          FROM pg_catalog.pg_class l WHERE l.oid = 'pg_catalog.pg_largeobject'::regclass) AS large_object_bytes
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT current_setting('block_size')::float8 AS size) b
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_array(pg_catalog.format_type(a.atttypid, a.atttypmod), s.avg_width, s.null_frac, s.n_distinct, a.attstorage = 'e')
                    ORDER BY a.attnum) AS columns
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_stats s
      ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) w ON {WIDTHS}
WHERE c.oid = ANY ('{OIDS}'::oid[]) AND c.relkind = 'r'
