-- The databases that pg_dumpall dumps, in its order (`dumpDatabases`, pg_dumpall.c).
SELECT datname FROM pg_catalog.pg_database
 WHERE datallowconn AND datconnlimit <> -2
 ORDER BY (datname <> 'template1'), datname
