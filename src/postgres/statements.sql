-- COPYs to a client that pg_stat_statements remembers of the connected database. $schema: where the extension is.
SELECT s.query, s.calls::float8, s.rows::float8, (s.total_exec_time / 1000)::float8 AS seconds
FROM $schema.pg_stat_statements s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE s.calls > 0 AND s.query LIKE 'COPY %' AND s.query ILIKE '% TO stdout%'
