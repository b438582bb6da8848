-- How often relations were used since the counters began, from the cumulative statistics. A partitioned
-- table has none of its own: its partitions' count. Locks nothing but catalogs.
SELECT s.relid::int8 AS relid,
       (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::int8 AS reads,
       (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::int8 AS writes
FROM pg_catalog.pg_stat_all_tables s
WHERE s.relid = ANY ('{OIDS}'::oid[])
