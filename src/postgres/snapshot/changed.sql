-- Catalog rows that an open transaction has updated or deleted: others still see the old version of the row, with the
-- transaction's number in xmax. A number of an aborted transaction stays there too, so each is asked about; one older
-- than every open transaction is passed over.
WITH marked AS (
    SELECT tableoid, oid, relname::text AS name, xmax AS xid FROM pg_class WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, proname::text, xmax FROM pg_proc WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, nspname::text, xmax FROM pg_namespace WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, typname::text, xmax FROM pg_type WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, '', xmax FROM pg_default_acl WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, lanname::text, xmax FROM pg_language WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, srvname::text, xmax FROM pg_foreign_server WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, fdwname::text, xmax FROM pg_foreign_data_wrapper WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, pubname::text, xmax FROM pg_publication WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, extname::text, xmax FROM pg_extension WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, evtname::text, xmax FROM pg_event_trigger WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, datname::text, xmax FROM pg_database WHERE xmax <> '0'::xid
    UNION ALL SELECT tableoid, oid, spcname::text, xmax FROM pg_tablespace WHERE xmax <> '0'::xid
    UNION ALL SELECT c.tableoid, c.oid, c.relname::text, a.xmax
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE a.xmax <> '0'::xid AND a.attrelid = ANY ('$oids'::oid[])
), recent AS (
    -- pg_xact_status() asks for the number with its epoch: that of the snapshot, one less or more where they wrapped between.
    SELECT tableoid, oid, name, xid,
           newest + mod(xid::text::bigint - mod(newest, 4294967296) + 6442450944, 4294967296) - 2147483648 AS full_xid
      FROM marked, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest OFFSET 0) AS s
     WHERE age(xid) BETWEEN 0 AND age('$oldest'::xid)
    OFFSET 0
)
SELECT tableoid AS changed, oid, name, xid
  FROM recent
 WHERE full_xid > 2
   AND pg_xact_status(full_xid::text::xid8) = 'in progress'
