SELECT transaction AS prepared,
       gid,
       prepared,
       owner,
       database
  FROM pg_prepared_xacts
