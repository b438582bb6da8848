-- What an interrupted change leaves in the catalogs. Locks nothing but catalogs: no pg_get_*def().
SELECT i.indexrelid AS unfinished_index,
       n.nspname,
       c.relname,
       i.indrelid,
       coalesce(own_n.nspname, n.nspname),
       coalesce(own.relname, t.relname),
       c.relkind = 'I',
       i.indisvalid,
       i.indisready,
       i.indislive,
       i.indisunique,
       EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_catalog.pg_class own ON own.reltoastrelid = t.oid AND t.relkind = 't'
  LEFT JOIN pg_catalog.pg_namespace own_n ON own_n.oid = own.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
 ORDER BY i.indexrelid;

SELECT h.inhrelid AS detaching,
       n.nspname,
       c.relname,
       h.inhparent,
       pn.nspname,
       p.relname
  FROM pg_catalog.pg_inherits h
  JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
 WHERE h.inhdetachpending
 ORDER BY h.inhrelid;

-- A foreign key has four triggers, two of them on the table that it points to: it counts on its own table. The rows of
-- partitions follow those of their parent (tgparentid).
SELECT DISTINCT
       CASE WHEN t.tgisinternal THEN 'constraint' ELSE 'trigger' END AS disabled,
       CASE WHEN t.tgisinternal THEN coalesce(k.conname, t.tgname) ELSE t.tgname END,
       n.nspname,
       c.relname
  FROM pg_catalog.pg_trigger t
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
  JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN t.tgisinternal THEN coalesce(k.conrelid, t.tgrelid) ELSE t.tgrelid END
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgenabled = 'D'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger up WHERE up.oid = t.tgparentid AND up.tgenabled = 'D')
UNION ALL
SELECT 'rule', r.rulename, n.nspname, c.relname
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.ev_enabled = 'D'
UNION ALL
SELECT 'event_trigger', e.evtname, NULL, NULL
  FROM pg_catalog.pg_event_trigger e
 WHERE e.evtenabled = 'D'
 ORDER BY 3, 4, 2;

-- NOT ENFORCED (18) is no NOT VALID. A partition's constraint follows its parent's.
SELECT k.conname AS not_valid,
       n.nspname,
       c.relname,
       k.contype
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT k.convalidated
   AND k.conparentid = 0
   AND coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true'
 ORDER BY n.nspname, c.relname, k.conname;

SELECT s.slot_name AS slot,
       s.slot_type = 'logical',
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
            ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::int8 END,
       coalesce(s.wal_status = 'lost', false),
       (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz
  FROM pg_catalog.pg_replication_slots s
 WHERE NOT s.active AND NOT s.temporary
   AND (s.database IS NULL OR s.database = pg_catalog.current_database())
 ORDER BY s.slot_name;

-- pg_repack (`repack_drop` in repack.c): a trigger on the table, a log of its changes and its copy in the schema repack; for
-- an index (`--only-indexes`) its copy next to it. Each is named by the oid of what it is for.
SELECT 'repack' AS tool_object, t.oid, n.nspname, t.relname, o.what, o.name
  FROM (SELECT g.tgrelid AS oid, 'trigger' AS what, g.tgname::text AS name
          FROM pg_catalog.pg_trigger g
          JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
          JOIN pg_catalog.pg_namespace r ON r.oid = p.pronamespace AND r.nspname = 'repack'
         WHERE g.tgname = 'repack_trigger'
        UNION ALL
        SELECT pg_catalog.substr(c.relname, 5)::pg_catalog.oid, 'log', pg_catalog.format('%I.%I', r.nspname, c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace r ON r.oid = c.relnamespace AND r.nspname = 'repack'
         WHERE c.relname ~ '^log_[0-9]{1,9}$' AND c.relkind = 'r'
        UNION ALL
        SELECT pg_catalog.substr(c.relname, 7)::pg_catalog.oid, 'copy', pg_catalog.format('%I.%I', r.nspname, c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace r ON r.oid = c.relnamespace AND r.nspname = 'repack'
         WHERE c.relname ~ '^table_[0-9]{1,9}$' AND c.relkind = 'r'
        UNION ALL
        SELECT i.indrelid, 'index', pg_catalog.format('%I.%I', r.nspname, c.relname)
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relname ~ '^index_[0-9]{1,9}$'
          JOIN pg_catalog.pg_namespace r ON r.oid = c.relnamespace AND r.nspname <> 'repack'
          JOIN pg_catalog.pg_index other ON other.indexrelid = pg_catalog.substr(c.relname, 7)::pg_catalog.oid
                                        AND other.indrelid = i.indrelid
         WHERE i.indisvalid) o
  JOIN pg_catalog.pg_class t ON t.oid = o.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 ORDER BY 1, 3, 4, 5 DESC, 6;

SELECT pg_catalog.current_setting('port') AS port
