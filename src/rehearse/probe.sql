-- What the session has locked and done in its transaction, as (kind, oid, text).
SELECT 'lock' AS kind, l.relation::text AS oid, l.mode AS text FROM pg_catalog.pg_locks l
WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.granted AND l.locktype OPERATOR(pg_catalog.=) 'relation'
UNION ALL
SELECT 'object', l.objid::text, l.classid::text FROM pg_catalog.pg_locks l
WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.granted AND l.locktype OPERATOR(pg_catalog.=) 'object'
  AND l.mode OPERATOR(pg_catalog.<>) 'AccessShareLock'
UNION ALL
SELECT 'advisory', l.objid::text, l.classid::text FROM pg_catalog.pg_locks l
WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.locktype OPERATOR(pg_catalog.=) 'advisory'
UNION ALL
SELECT 'scans', c.oid::text, pg_catalog.pg_stat_get_xact_numscans(c.oid)::text FROM pg_catalog.pg_class c
WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,t,i}')
  AND pg_catalog.pg_stat_get_xact_numscans(c.oid) OPERATOR(pg_catalog.>) 0
UNION ALL
SELECT 'file', c.oid::text, c.relfilenode::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_locks l ON l.relation OPERATOR(pg_catalog.=) c.oid
WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
  AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,t}')
UNION ALL
-- Views of what the server has counted: the copy's own.
SELECT 'counted', c.oid::text, c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_locks l ON l.relation OPERATOR(pg_catalog.=) c.oid
WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND c.oid OPERATOR(pg_catalog.<) 16384 AND c.relname OPERATOR(pg_catalog.~) '^pg_stat'
UNION ALL
-- Code that catches errors: the locks of what failed are gone; and code that asks how large things are.
SELECT 'catches', p.oid::text, pg_catalog.pg_stat_get_xact_function_calls(p.oid)::text FROM pg_catalog.pg_proc p
WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND p.prosrc OPERATOR(pg_catalog.~*) '(exception\s+when|\mexcept\M|\mtry\M|\mcatch\M|\meval\M|reltuples|relpages|_size\s*\()'
  AND pg_catalog.pg_stat_get_xact_function_calls(p.oid) OPERATOR(pg_catalog.>) 0
