-- Up to 14 a backup could be begun in one session and ended in another: nothing ends it when its program dies.
SELECT pg_catalog.pg_backup_start_time() AS exclusive_backup
 WHERE pg_catalog.pg_is_in_backup()
