-- The only read of the lock table, one pass. Nearly all rows are granted locks on relations, many to a
-- session: those come as one row for each session, mode and database with the relations in a list, which
-- takes the server no longer than sending them one by one and spares the network and the reader nearly all.
-- Whatever else a lock is about stands in `more`, so that only equal rows go together.
SELECT pid AS lock,
       mode,
       database,
       more,
       string_agg(relation::text, ',')
  FROM (SELECT pid, mode, database, relation,
               CASE WHEN locktype <> 'relation' OR NOT granted OR pid IS NULL
                    THEN concat(locktype, '|', granted, '|', virtualtransaction, '|', waitstart, '|',
                                virtualxid, '|', transactionid, '|', page, '|', tuple, '|',
                                classid, '|', objid, '|', objsubid)
               END AS more
          FROM pg_catalog.pg_locks
        OFFSET 0) AS l
 GROUP BY pid, mode, database, more
