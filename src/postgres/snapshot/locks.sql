-- The only read of the lock table. Most rows are granted locks on relations: they carry three short
-- columns, and NULL costs next to nothing in the others.
SELECT l.pid AS lock,
       l.mode,
       l.relation,
       CASE WHEN l.locktype <> 'relation' THEN l.locktype END,
       nullif(l.database, $datid),
       nullif(l.granted, true),
       CASE WHEN l.pid IS NULL OR l.locktype IN ('virtualxid', 'advisory') THEN l.virtualtransaction END,
       l.waitstart,
       l.virtualxid,
       l.transactionid,
       l.page,
       l.tuple,
       l.classid,
       l.objid,
       l.objsubid
  FROM pg_catalog.pg_locks l
