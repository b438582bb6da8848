-- A digest of everything in the system catalogs that a migration can change, and the invalid indexes. Temporary
-- objects come and go with other sessions. VACUUM and ANALYZE change rows in place, so that xmin stays. The tables that
-- a migration tool makes for itself have a digest each, below.
$own
SELECT md5(concat_ws(',',
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(c.oid, '.', c.xmin), 0)))
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(a.attrelid, '.', a.attnum, '.', a.xmin), 0)))
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(i.indexrelid, '.', i.xmin), 0)))
       FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
      WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(k.oid, '.', k.xmin), 0)))
       FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid
      WHERE c.relpersistence IS DISTINCT FROM 't' AND k.conrelid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(d.oid, '.', d.xmin), 0)))
       FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
      WHERE c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(g.oid, '.', g.xmin), 0)))
       FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
      WHERE c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(r.oid, '.', r.xmin), 0)))
       FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
      WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(h.inhrelid, '.', h.inhparent, '.', h.xmin), 0)))
       FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE c.relpersistence <> 't'),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(t.oid, '.', t.xmin), 0)))
       FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_' AND t.typrelid NOT IN (SELECT oid FROM own)
        AND t.typelem NOT IN (SELECT c.reltype FROM own JOIN pg_class c ON c.oid = own.oid WHERE c.reltype <> 0)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(p.oid, '.', p.xmin), 0)))
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_' AND n.nspname NOT IN ($schemas)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(n.oid, '.', n.xmin), 0)))
       FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp_' AND n.nspname NOT IN ($schemas)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(s.seqrelid, '.', s.xmin), 0)))
       FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
      WHERE c.relpersistence <> 't' AND c.oid NOT IN (SELECT oid FROM own)),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(x.objoid, '.', x.classoid, '.', x.objsubid, '.', x.xmin), 0)))
       FROM pg_description x
      WHERE x.objoid >= 16384 AND NOT (x.classoid = 'pg_class'::regclass AND x.objoid IN (SELECT oid FROM own))),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_enum e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_extension e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_policy e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_event_trigger e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_publication e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_publication_rel e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_default_acl e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0)))
       FROM pg_statistic_ext e WHERE e.oid >= 16384),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0)))
       FROM pg_cast e WHERE e.oid >= 16384),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0)))
       FROM pg_operator e WHERE e.oid >= 16384),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0)))
       FROM pg_opclass e WHERE e.oid >= 16384),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0))) FROM pg_foreign_server e),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(e.oid, '.', e.xmin), 0)))
       FROM pg_ts_config e WHERE e.oid >= 16384))) AS catalog;

-- The same of each table of a migration tool, and how it is called.
$own
SELECT format('%I.%I', n.nspname, r.relname) AS own_table,
       md5(concat_ws(',',
    (SELECT sum(hashtextextended(concat(c.oid, '.', c.xmin), 0))
       FROM own o JOIN pg_class c ON c.oid = o.oid WHERE o.root = r.oid),
    (SELECT sum(hashtextextended(concat(a.attrelid, '.', a.attnum, '.', a.xmin), 0))
       FROM own o JOIN pg_attribute a ON a.attrelid = o.oid WHERE o.root = r.oid),
    (SELECT sum(hashtextextended(concat(k.oid, '.', k.xmin), 0)) FROM pg_constraint k WHERE k.conrelid = r.oid),
    (SELECT sum(hashtextextended(concat(d.oid, '.', d.xmin), 0)) FROM pg_attrdef d WHERE d.adrelid = r.oid),
    (SELECT sum(hashtextextended(concat(g.oid, '.', g.xmin), 0)) FROM pg_trigger g WHERE g.tgrelid = r.oid)))
  FROM own JOIN pg_class r ON r.oid = own.oid AND own.oid = own.root JOIN pg_namespace n ON n.oid = r.relnamespace
 ORDER BY 1;

SELECT n.nspname AS index_schema, c.relname
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relpersistence <> 't';

-- Tables that could be version tables, with their columns of the server's own types: reading others could run casts
-- of somebody's. One that somebody holds or waits for ACCESS EXCLUSIVE on is left alone: a reader would queue.
SELECT format('%I.%I', n.nspname, c.relname) AS books,
       (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
          FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid < 16384)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname IN ($names) AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_locks l
                    WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock'
                      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
 ORDER BY 1;
