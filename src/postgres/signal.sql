-- Names the session and signals it in one statement: a pid alone is reused by the operating system.
-- The transaction is part of the name: who has gone on to another one is no longer who was looked at.
SELECT $function(pid) AS sent
FROM pg_stat_activity
WHERE pid = $pid
  AND backend_start = '$backend_start'::timestamptz
  AND xact_start IS NOT DISTINCT FROM $xact_start::timestamptz
  AND pid <> pg_backend_pid()
