-- The running count of live rows of tables that no ANALYZE has seen; those of none are left out.
SELECT l.oid::int8 AS live, l.rows::float8
  FROM (SELECT o AS oid, pg_catalog.pg_stat_get_live_tuples(o) AS rows
          FROM unnest('{OIDS}'::oid[]) AS o
        OFFSET 0) AS l
 WHERE l.rows > 0
