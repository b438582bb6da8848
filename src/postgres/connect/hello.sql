SELECT current_setting('server_version_num') AS hello,
       pg_backend_pid(),
       d.oid,
       d.datname,
       current_user,
       pg_is_in_recovery(),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       current_setting('max_connections'),
       pg_postmaster_start_time(),
       (SELECT system_identifier FROM pg_control_system()),
       getdatabaseencoding(),
       pg_size_bytes(regexp_replace(current_setting('track_activity_query_size'), '^([0-9]+)B$', '\1')),
       current_setting('block_size'),
       current_setting('pgguard.direct', true),
       current_setting('default_transaction_read_only')
  FROM pg_database d
 WHERE d.datname = current_database();

-- What a migration's session would begin with, in milliseconds: not what is in force, since the limits of ours
-- are, and in a session that a pooler shares an earlier client may have set others for itself.
SELECT name AS setting, reset_val
  FROM pg_settings
 WHERE name IN ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout',
                'transaction_timeout', 'deadlock_timeout', 'max_standby_streaming_delay',
                'standard_conforming_strings', 'default_transaction_isolation', 'default_transaction_read_only',
                'default_transaction_deferrable', 'session_replication_role', 'check_function_bodies',
                'default_tablespace', 'enable_partition_pruning', 'synchronous_standby_names', 'synchronous_commit');

-- Standbys that a commit can wait for.
SELECT 'synchronous_standbys' AS setting,
       (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'));

-- The two that our own session sets for itself as it begins: what it would have else, as far as a role or a database
-- sets it (process_settings, postinit.c: the last one applied counts least).
SELECT DISTINCT ON (lower(split_part(said, '=', 1)))
       lower(split_part(said, '=', 1)) AS setting, substr(said, strpos(said, '=') + 1)
  FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS said
 WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
   AND lower(split_part(said, '=', 1)) IN ('timezone', 'client_encoding')
 ORDER BY lower(split_part(said, '=', 1)), setrole <> 0 DESC, setdatabase <> 0 DESC;

-- Where the server is, most likely.
SELECT 'log_timezone' AS setting, current_setting('log_timezone');

-- Room in the lock table: NLOCKENTS (lock.c), InitializeMaxBackends (postinit.c).
SELECT 'lock_slots' AS setting,
       current_setting('max_locks_per_transaction')::int8
       * (current_setting('max_connections')::int8
          + coalesce(current_setting('autovacuum_worker_slots', true), current_setting('autovacuum_max_workers'))::int8
          + current_setting('max_worker_processes')::int8
          + current_setting('max_wal_senders')::int8
          + current_setting('max_prepared_transactions')::int8
          + 1);

-- For the whole session only where it is ours alone: a pooler would hand these limits to its next client.
SELECT set_config(name, value, false) AS done
  FROM (VALUES ('default_transaction_read_only', 'on'),
               ('lock_timeout', '$lock_timeout'),
               ('statement_timeout', '$statement_timeout'),
               ('idle_in_transaction_session_timeout', '60s'),
               ('jit', 'off')) AS ours (name, value)
 WHERE current_setting('pgguard.direct', true) = '$nonce';

-- The server ends a query of ours soon after this process is gone (14 and later, Linux).
SELECT set_config('client_connection_check_interval', '500ms', false) AS done
 WHERE current_setting('pgguard.direct', true) = '$nonce'
   AND version() LIKE '%linux%'
   AND current_setting('client_connection_check_interval', true) = '0'
