-- The only read of the lock table, one pass. Nearly all rows are granted locks on relations, many to a
-- session: those come as one row for each session with the relations in an array, which takes the server no
-- longer than sending them one by one and spares the network and the reader nearly all. Whatever else there
-- is to say of a lock stands in `more`, so that only equal rows go together; of granted ACCESS SHARE locks on
-- relations of the own database, by far the most, there is nothing.
SELECT pid AS lock,
       more,
       array_agg(relation)
  FROM (SELECT pid, relation,
               CASE WHEN locktype <> 'relation' OR NOT granted OR pid IS NULL
                    THEN concat(mode, '|', database, '|', locktype, '|', granted, '|', virtualtransaction, '|',
                                waitstart, '|', virtualxid, '|', transactionid, '|', page, '|', tuple, '|',
                                classid, '|', objid, '|', objsubid)
                    WHEN mode <> 'AccessShareLock' OR database <> $datid
                    THEN concat(mode, '|', database)
               END AS more
          FROM pg_catalog.pg_locks
        OFFSET 0) AS l
 GROUP BY pid, more
