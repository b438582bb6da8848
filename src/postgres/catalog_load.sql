-- The rows of the catalogs for what the walk reached, one JSON array a catalog.
-- $1 relations, $2 constraints, $3 types, $4 routines, $5 and $6 the catalogs and oids of everything
-- reached, $7 names, $8 and $9 the catalogs and oids of what dependents were followed from,
-- $10 roles that the migration acts in, $11 the role that its session has logged in as, if that is known,
-- $12 roles whose objects are worked on, $13 extensions that are created.
-- Reads system catalogs only and calls nothing that opens a relation: no pg_get_…, no sizes.
WITH
range_entry (owner, relation, children, mode) AS (
    SELECT q.owner, m[1], coalesce(m[2], m[4], 'true'), m[3]
    FROM (SELECT r.oid::int8, r.ev_action::text FROM pg_catalog.pg_rewrite r WHERE r.ev_class = ANY ($1)
          UNION ALL
          SELECT p.oid::int8, p.polqual::text FROM pg_catalog.pg_policy p WHERE p.polrelid = ANY ($1)
          UNION ALL
          SELECT -p.oid::int8, p.polwithcheck::text FROM pg_catalog.pg_policy p WHERE p.polrelid = ANY ($1)
          UNION ALL
          -- Of another catalog: its oids may be those of rules.
          SELECT p.oid::int8 + 4294967296, p.prosqlbody::text FROM pg_catalog.pg_proc p WHERE p.oid = ANY ($4)) q (owner, tree)
    CROSS JOIN LATERAL pg_catalog.regexp_matches(q.tree,
        ':rtekind 0 :relid (\d+) (?::inh (true|false) )?:relkind . :rellockmode (\d)(?: :tablesample <> :lateral \w+ :inh (true|false))?',
        'g') m
),
ranges (owner, range) AS (
    SELECT owner, pg_catalog.json_agg(pg_catalog.json_build_object(
        'relation', relation::int8, 'with_children', children::bool, 'mode', mode::int))
    FROM range_entry GROUP BY owner
)
SELECT 'session' AS part, pg_catalog.row_to_json(x)::text AS body FROM (
    SELECT pg_catalog.current_setting('server_version_num')::int AS server_version_num,
           pg_catalog.current_database()::text AS database, current_user::text AS "user",
           pg_catalog.current_setting('pgguard.path') AS search_path,
           -- Only in a session that a pooler shares: the view costs a millisecond.
           CASE WHEN coalesce(pg_catalog.current_setting('pgguard.direct', true), '') = ''
                THEN (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path')
            END AS own_search_path,
           pg_catalog.current_setting('TimeZone') IN ('UTC', 'Etc/UTC', 'GMT', 'UCT', 'Zulu', 'Universal', 'Etc/UCT', 'Etc/GMT') AS utc,
           pg_catalog.current_setting('check_function_bodies')::bool AS check_function_bodies,
           pg_catalog.current_setting('session_replication_role') = 'replica' AS replica,
           pg_catalog.current_setting('default_tablespace') AS default_tablespace) x
UNION ALL
SELECT 'schemas', pg_catalog.json_agg(x)::text FROM (
    SELECT 2615 AS class, oid::int8 AS oid, nspname AS name FROM pg_catalog.pg_namespace
    WHERE nspname = ANY ($7) OR nspname = ANY (pg_catalog.current_setting('pgguard.schemas')::name[]) OR nspname = current_user
       OR oid IN (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = ANY ($1))) x
UNION ALL
SELECT 'relations', pg_catalog.json_agg(x)::text FROM (
    SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS relation,
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned_table' WHEN 'i' THEN 'index'
               WHEN 'I' THEN 'partitioned_index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
               WHEN 'm' THEN 'materialized_view' WHEN 'c' THEN 'composite_type'
               WHEN 'f' THEN 'foreign_table' ELSE 'toast' END AS kind,
           c.relpersistence AS persistence, pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.reltype::int8 AS row_type,
           c.reloftype::int8 AS of_type, c.reltoastrelid::int8 AS toast, am.amname AS access_method,
           ts.spcname AS tablespace, c.relispartition AS is_partition, c.relrowsecurity AS row_security,
           c.relpages::int8 * 8192 AS bytes, c.reltuples::float8 AS rows,
           CASE WHEN c.relkind IN ('r', 'm', 't') AND c.oid >= 16384
                THEN pg_catalog.pg_stat_get_live_tuples(c.oid)::float8 ELSE 0 END AS live_rows,
           c.relispopulated AS is_populated,
           c.relreplident AS replica_identity,
           c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_inherits i
               JOIN pg_catalog.pg_partitioned_table d ON d.partrelid = i.inhparent
               WHERE i.inhrelid = c.oid AND d.partdefid = c.oid) AS is_default_partition,
           CASE WHEN c.relkind IN ('r', 'p', 'f') THEN c.relpartbound::text END AS bound,
           (SELECT pg_catalog.json_build_object('strategy', k.partstrat,
                       'columns', pg_catalog.string_to_array(k.partattrs::text, ' ')::int2[])
            FROM pg_catalog.pg_partitioned_table k WHERE k.partrelid = c.oid) AS partition_key,
           coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                       'number', a.attnum, 'name', a.attname, 'type_oid', a.atttypid::int8,
                       'type_modifier', a.atttypmod, 'not_null', a.attnotnull, 'identity', a.attidentity,
                       'generated', a.attgenerated, 'is_local', a.attislocal, 'inherited', a.attinhcount,
                       'collation', a.attcollation::int8) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')), '[]') AS columns
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
    LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
    WHERE c.oid = ANY ($1)) x
UNION ALL
SELECT 'indexes', pg_catalog.json_agg(x)::text FROM (
    SELECT i.indexrelid::int8 AS oid, i.indrelid::int8 AS "table",
           pg_catalog.string_to_array(i.indkey::text, ' ')::int2[] AS columns, i.indnkeyatts AS key_columns,
           i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisexclusion AS is_exclusion,
           i.indisvalid AS is_valid, i.indislive AS is_live, i.indisclustered AS is_clustered, i.indisreplident AS is_replica_identity,
           i.indimmediate AS is_immediate,
           i.indclass::text || ';' || i.indcollation::text || ';' || i.indoption::text AS operators,
           coalesce(CASE WHEN t.relispartition THEN (
               SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                   'opclass', o.opcname, 'is_default', o.opcdefault,
                   'collation', coalesce(l.collname, ''), 'is_columns', k.colloid = coalesce(a.attcollation, k.colloid))
                   ORDER BY k.place)
               FROM ROWS FROM (pg_catalog.unnest(i.indclass::oid[]), pg_catalog.unnest(i.indcollation::oid[]))
                    WITH ORDINALITY k (opclass, colloid, place)
               JOIN pg_catalog.pg_opclass o ON o.oid = k.opclass
               LEFT JOIN pg_catalog.pg_collation l ON l.oid = k.colloid
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1])
           END, '[]') AS keys,
           i.indexprs::text AS expressions, i.indpred::text AS predicate
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    WHERE i.indexrelid = ANY ($1)) x
UNION ALL
SELECT 'inherits', pg_catalog.json_agg(x)::text FROM (
    SELECT i.inhrelid::int8 AS child, i.inhparent::int8 AS parent, i.inhdetachpending AS detach_pending
    FROM pg_catalog.pg_inherits i WHERE i.inhrelid = ANY ($1) ORDER BY i.inhrelid, i.inhseqno) x
UNION ALL
SELECT 'constraints', pg_catalog.json_agg(x)::text FROM (
    SELECT k.oid::int8 AS oid, k.conname AS name, k.contype AS kind, k.conrelid::int8 AS "table",
           k.contypid::int8 AS domain, k.conindid::int8 AS index, k.conparentid::int8 AS parent,
           k.confrelid::int8 AS referenced, coalesce(k.conkey, '{}') AS columns,
           coalesce(k.confkey, '{}') AS referenced_columns, k.confdeltype AS on_delete, k.confupdtype AS on_update,
           k.convalidated AS is_validated, k.connoinherit AS no_inherit, k.conislocal AS is_local,
           k.coninhcount AS inherited, k.condeferrable AS is_deferrable, k.condeferred AS is_deferred,
           coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::bool, true) AS is_enforced,
           EXISTS (SELECT FROM pg_catalog.pg_description d
                   WHERE d.objoid = k.oid AND d.classoid = 2606 AND d.objsubid = 0) AS has_comment,
           k.conbin::text AS expression
    FROM pg_catalog.pg_constraint k
    WHERE k.oid = ANY ($2)
       OR k.conrelid = ANY ($1)
       OR k.contypid = ANY ($3)) x
UNION ALL
SELECT 'defaults', pg_catalog.json_agg(x)::text FROM (
    SELECT a.oid::int8 AS oid, a.adrelid::int8 AS "table", a.adnum AS "column"
    FROM pg_catalog.pg_attrdef a WHERE a.adrelid = ANY ($1)) x
UNION ALL
SELECT 'triggers', pg_catalog.json_agg(x)::text FROM (
    SELECT t.oid::int8 AS oid, t.tgname AS name, t.tgrelid::int8 AS "table", t.tgfoid::int8 AS function,
           t.tgtype AS events, t.tgenabled AS enabled, t.tgisinternal AS is_internal,
           t.tgconstraint::int8 AS "constraint", t.tgconstrrelid::int8 AS referenced,
           t.tgparentid::int8 AS parent, t.tginitdeferred AS is_deferred,
           pg_catalog.array_remove(ARRAY[t.tgoldtable, t.tgnewtable], NULL) AS transition_tables,
           coalesce(pg_catalog.string_to_array(nullif(t.tgattr::text, ''), ' ')::int2[], '{}') AS columns
    FROM pg_catalog.pg_trigger t WHERE t.tgrelid = ANY ($1)) x
UNION ALL
SELECT 'rules', pg_catalog.json_agg(x)::text FROM (
    SELECT r.oid::int8 AS oid, r.rulename AS name, r.ev_class::int8 AS "table", r.ev_type AS event,
           r.is_instead, r.ev_enabled AS enabled, coalesce(g.range, '[]') AS range
    FROM pg_catalog.pg_rewrite r LEFT JOIN ranges g ON g.owner = r.oid::int8 WHERE r.ev_class = ANY ($1)) x
UNION ALL
SELECT 'policies', pg_catalog.json_agg(x)::text FROM (
    SELECT p.oid::int8 AS oid, p.polname AS name, p.polrelid::int8 AS "table", p.polcmd AS command,
           coalesce(g.range, '[]') AS range, coalesce(h.range, '[]') AS check_range,
           coalesce((SELECT pg_catalog.json_agg(o.rolname) FROM pg_catalog.pg_roles o
                     WHERE o.oid = ANY (p.polroles)), '[]') AS roles
    FROM pg_catalog.pg_policy p LEFT JOIN ranges g ON g.owner = p.oid::int8
    LEFT JOIN ranges h ON h.owner = -p.oid::int8 WHERE p.polrelid = ANY ($1)) x
UNION ALL
SELECT 'types', pg_catalog.json_agg(x)::text FROM (
    SELECT t.oid::int8 AS oid, n.nspname AS schema, t.typname AS name, t.typtype AS kind,
           t.typrelid::int8 AS relation, t.typbasetype::int8 AS base, t.typtypmod AS base_modifier,
           t.typelem::int8 AS element, t.typnotnull AS not_null, t.typdefault IS NOT NULL AS has_default,
           t.typstorage AS storage, t.typcategory AS category,
           CASE WHEN t.typtype = 'e' THEN
               (SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
           END AS labels
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    -- One array, for an index scan: joined by OR, a subselect makes it a scan of all types.
    WHERE t.oid = ANY (ARRAY(
        SELECT unnest($3::oid[])
        UNION
        SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0))) x
UNION ALL
SELECT 'routines', pg_catalog.json_agg(x)::text FROM (
    SELECT p.oid::int8 AS oid, n.nspname AS schema, p.proname AS name, p.prokind AS kind, l.lanname AS language,
           p.provolatile AS volatility, p.pronargs AS arguments, p.prosecdef AS is_definer,
           coalesce(pg_catalog.string_to_array(nullif(p.proargtypes::text, ''), ' ')::int8[], '{}') AS signature,
           coalesce(p.proargnames, '{}') AS argument_names, p.prorettype::int8 AS returns,
           CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END AS body,
           CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN pg_catalog.pg_get_expr(p.proargdefaults, 0) END AS defaults,
           CASE WHEN p.prosqlbody IS NOT NULL THEN pg_catalog.json_build_object(
               'only_reads', p.prosqlbody::text !~ ':commandType [^1]', 'range', coalesce(g.range, '[]'),
               'calls', (SELECT coalesce(pg_catalog.json_agg(DISTINCT f.proname), '[]')
                         FROM pg_catalog.regexp_matches(p.prosqlbody::text, ':(?:funcid|opfuncid|winfnoid|aggfnoid) (\d+)', 'g') m
                         JOIN pg_catalog.pg_proc f ON f.oid = m[1]::oid WHERE f.oid < 16384)) END AS parsed,
           coalesce(p.proconfig, '{}') AS settings
    FROM pg_catalog.pg_proc p
    LEFT JOIN ranges g ON g.owner = p.oid::int8 + 4294967296
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid = ANY ($4)) x
UNION ALL
SELECT 'statistics', pg_catalog.json_agg(x)::text FROM (
    SELECT s.oid::int8 AS oid, n.nspname AS schema, s.stxname AS name, s.stxrelid::int8 AS "table",
           coalesce(pg_catalog.string_to_array(nullif(s.stxkeys::text, ''), ' ')::int2[], '{}') AS columns
    FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
    WHERE s.stxrelid = ANY ($1)) x
UNION ALL
SELECT 'publications', pg_catalog.json_agg(x)::text FROM (
    SELECT r.oid::int8 AS oid, r.prrelid::int8 AS "table", p.pubname AS publication
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    WHERE r.prrelid = ANY ($1) OR p.pubname = ANY ($7)) x
UNION ALL
SELECT 'event_triggers', pg_catalog.json_agg(x)::text FROM (
    SELECT e.evtname AS name, e.evtevent AS event, coalesce(e.evttags, '{}') AS tags, e.evtfoid::int8 AS function
    FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled IN ('O', 'A')) x
UNION ALL
SELECT 'objects', pg_catalog.json_agg(x)::text FROM (
    SELECT 3079 AS class, oid::int8 AS oid, NULL::name AS schema, extname AS name FROM pg_catalog.pg_extension
    WHERE extname = ANY ($7) OR extname IN ('btree_gin', 'btree_gist')
    UNION ALL SELECT 1417, oid::int8, NULL, srvname FROM pg_catalog.pg_foreign_server WHERE srvname = ANY ($7)
    UNION ALL SELECT 2328, oid::int8, NULL, fdwname FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = ANY ($7)
    UNION ALL SELECT 2612, oid::int8, NULL, lanname FROM pg_catalog.pg_language WHERE lanname = ANY ($7)
    UNION ALL SELECT 2601, oid::int8, NULL, amname FROM pg_catalog.pg_am WHERE amname = ANY ($7) AND oid >= 16384
    UNION ALL SELECT 6104, oid::int8, NULL, pubname FROM pg_catalog.pg_publication WHERE pubname = ANY ($7)
    UNION ALL SELECT 2617, o.oid::int8, n.nspname, o.oprname FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oprname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 2616, o.oid::int8, n.nspname, o.opcname FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace WHERE o.opcname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 2753, o.oid::int8, n.nspname, o.opfname FROM pg_catalog.pg_opfamily o JOIN pg_catalog.pg_namespace n ON n.oid = o.opfnamespace WHERE o.opfname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 3602, o.oid::int8, n.nspname, o.cfgname FROM pg_catalog.pg_ts_config o JOIN pg_catalog.pg_namespace n ON n.oid = o.cfgnamespace WHERE o.cfgname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 3600, o.oid::int8, n.nspname, o.dictname FROM pg_catalog.pg_ts_dict o JOIN pg_catalog.pg_namespace n ON n.oid = o.dictnamespace WHERE o.dictname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 3601, o.oid::int8, n.nspname, o.prsname FROM pg_catalog.pg_ts_parser o JOIN pg_catalog.pg_namespace n ON n.oid = o.prsnamespace WHERE o.prsname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 3764, o.oid::int8, n.nspname, o.tmplname FROM pg_catalog.pg_ts_template o JOIN pg_catalog.pg_namespace n ON n.oid = o.tmplnamespace WHERE o.tmplname = ANY ($7) AND o.oid >= 16384
    UNION ALL SELECT 3456, o.oid::int8, n.nspname, o.collname FROM pg_catalog.pg_collation o JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace WHERE o.collname = ANY ($7) AND o.oid >= 16384) x
UNION ALL
SELECT 'dependencies', pg_catalog.json_agg(x)::text FROM (
    SELECT DISTINCT d.classid::int8 AS class, d.objid::int8 AS oid, d.objsubid AS "column", d.refclassid::int8 AS on_class,
           d.refobjid::int8 AS on_oid, d.refobjsubid AS on_column, d.deptype AS kind
    FROM (SELECT d.* FROM unnest($5::oid[], $6::oid[]) w (c, o)
          JOIN pg_catalog.pg_depend d ON d.classid = w.c AND d.objid = w.o
          UNION ALL
          SELECT d.* FROM unnest($8::oid[], $9::oid[]) w (c, o)
          JOIN pg_catalog.pg_depend d ON d.refclassid = w.c AND d.refobjid = w.o) d) x
UNION ALL
-- What DROP OWNED takes away (shdepDropOwned, pg_shdepend.c).
SELECT 'owned', pg_catalog.json_agg(x)::text FROM (
    SELECT o.rolname AS role, s.classid::int8 AS class, s.objid::int8 AS oid
    FROM pg_catalog.pg_roles o
    JOIN pg_catalog.pg_shdepend s ON s.refclassid = 1260 AND s.refobjid = o.oid AND s.deptype = 'o'
    WHERE o.rolname = ANY ($12)
      AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY s.classid, s.objid) x
UNION ALL
SELECT 'foreign_temporaries', pg_catalog.json_agg(c.relname)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY ($7) AND c.relpersistence = 't' AND n.nspname LIKE 'pg\_temp\_%'
UNION ALL
SELECT 'powerless', pg_catalog.json_agg(x)::text FROM (
    SELECT r.rolname AS role, c.oid::int8 AS relation
    FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_class c
    WHERE r.rolname = ANY ($10) AND c.oid = ANY ($1)
      AND ($11::text IS NULL OR pg_catalog.pg_has_role($11::text::name, r.oid,
              CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END))
      AND NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d
                      WHERE d.datname = pg_catalog.current_database() AND pg_catalog.pg_has_role(r.oid, d.datdba, 'USAGE'))
      AND NOT pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
      AND NOT pg_catalog.has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE, TRIGGER'
              || CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000 THEN ', MAINTAIN' ELSE '' END)) x
UNION ALL
-- Which names exist. What extensions there are is read from the server's disk: only where one is created.
SELECT 'named', pg_catalog.row_to_json(x)::text FROM (
    SELECT coalesce((SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles WHERE rolname = ANY ($7)), '[]') AS roles,
           coalesce((SELECT pg_catalog.json_agg(DISTINCT proname) FROM pg_catalog.pg_proc WHERE proname = ANY ($7)), '[]') AS functions,
           coalesce((SELECT pg_catalog.json_agg(spcname) FROM pg_catalog.pg_tablespace WHERE spcname = ANY ($7)), '[]') AS tablespaces,
           coalesce((SELECT pg_catalog.json_agg(amname) FROM pg_catalog.pg_am WHERE amname = ANY ($7)), '[]') AS access_methods,
           coalesce((SELECT pg_catalog.json_agg(DISTINCT opcname) FROM pg_catalog.pg_opclass WHERE opcname = ANY ($7)), '[]') AS operator_classes,
           CASE WHEN cardinality($13::text[]) > 0 THEN
               coalesce((SELECT pg_catalog.json_agg(e.name) FROM pg_catalog.pg_available_extensions() e
                         WHERE cardinality($13::text[]) > 0 AND e.name::text = ANY ($13)), '[]')
           END AS extensions,
           coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                         'from', c.castsource::int8, 'to', c.casttarget::int8, 'context', c.castcontext))
                     FROM pg_catalog.pg_cast c
                     WHERE c.castsource = ANY (ARRAY(SELECT unnest($3::oid[]) UNION
                               SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0))
                       AND c.casttarget = ANY (ARRAY(SELECT unnest($3::oid[]) UNION
                               SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0))), '[]') AS casts) x
