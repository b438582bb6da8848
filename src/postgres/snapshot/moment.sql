-- Each message asks this again: behind a pooler the session changes, and a standby can be promoted.
SELECT clock_timestamp() AS moment,
       pg_backend_pid(),
       pg_is_in_recovery(),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       pg_postmaster_start_time(),
       pg_snapshot_xmin(pg_current_snapshot())::text::int8,
       pg_snapshot_xmax(pg_current_snapshot())::text::int8
