-- What roles and this database set for new sessions: the session's own role, or the one that is named $role.
-- process_settings (postinit.c): the last one that it applies counts least.
SELECT rolname = session_user AND rolname <> $role AS role_setting,
       lower(split_part(said, '=', 1)), substr(said, strpos(said, '=') + 1), setrole <> 0
  FROM pg_db_role_setting s
  JOIN pg_roles r ON rolname IN ($role, session_user) AND setrole IN (0, r.oid)
 CROSS JOIN LATERAL unnest(s.setconfig) AS said
 WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
 ORDER BY setrole <> 0, setdatabase <> 0
