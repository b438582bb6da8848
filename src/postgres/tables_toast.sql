-- Tables whose wide values take a megabyte or more, in blocks of 8 KiB: a small heap may have much of them.
SELECT c.oid::int8 AS toast, (t.pages * b.size / 8192)::float8
  FROM (SELECT oid, relpages::float8 AS pages
          FROM pg_catalog.pg_class
         WHERE relkind = 't' AND relpages >= 128) AS t
  JOIN pg_catalog.pg_class AS c ON c.reltoastrelid = t.oid AND c.relkind = 'r'
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::float8 AS size) AS b
