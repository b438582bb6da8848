-- How often tables are used a minute, on average since the counters were reset. Locks nothing but catalogs.
SELECT s.relid::int8 AS relid,
       ((coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0)) / d.minutes)::float8 AS reads,
       ((s.n_tup_ins + s.n_tup_upd + s.n_tup_del) / d.minutes)::float8 AS writes
FROM pg_catalog.pg_stat_user_tables s
CROSS JOIN (SELECT extract(epoch FROM pg_catalog.now() - stats_reset)::float8 / 60 AS minutes
            FROM pg_catalog.pg_stat_database
            WHERE datname = pg_catalog.current_database() AND stats_reset < pg_catalog.now() - interval '1 minute') d
