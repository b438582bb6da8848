-- What a copy of a database's schema needs around it, as (kind, name, text). Reads system catalogs only and opens no
-- relation. A role that is a superuser here is none there: it gets what it can be given without.
WITH
here AS (SELECT * FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
role AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'),
-- what may be set on the copy: not how it logs, nor libraries that it may not have
setting AS (
    SELECT s.setdatabase, s.setrole, pg_catalog.split_part(c, '=', 1) AS name,
           pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
    WHERE pg_catalog.split_part(c, '=', 1) !~ '^(log_|.*_preload_libraries|temp_tablespaces|default_tablespace|session_replication_role)'
      AND s.setdatabase IN (0, (SELECT oid FROM here))
),
member AS (SELECT classid, objid, refobjid AS extension FROM pg_catalog.pg_depend WHERE refclassid = 3079 AND deptype = 'e')
SELECT 'database' AS kind, pg_catalog.pg_get_userbyid(datdba)::text AS name, pg_catalog.pg_encoding_to_char(encoding)::text AS text FROM here
UNION ALL
SELECT 'role', rolname, pg_catalog.format('CREATE ROLE %I NOSUPERUSER %s %s %s %s %s %s', rolname,
    CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
    CASE WHEN rolcreaterole OR rolsuper THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
    CASE WHEN rolcreatedb OR rolsuper THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
    CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
    CASE WHEN rolreplication OR rolsuper THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
    CASE WHEN rolbypassrls OR rolsuper THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END) FROM role
UNION ALL
SELECT 'grant', m.rolname, pg_catalog.format('GRANT %I TO %I', g.rolname, m.rolname)
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN role m ON m.oid = a.member
WHERE g.rolname NOT IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_database_owner')
UNION ALL
SELECT 'grant', s.rolname, pg_catalog.format('GRANT %I TO %I', o.rolname, s.rolname)
FROM role s JOIN pg_catalog.pg_roles o ON o.oid <> s.oid
  AND (NOT o.rolsuper AND o.rolname !~ '^pg_' OR s.rolname = session_user AND o.rolname !~ '^pg_'
       OR o.rolname IN ('pg_monitor', 'pg_signal_backend', 'pg_read_all_data', 'pg_write_all_data', 'pg_maintain',
                        'pg_checkpoint', 'pg_create_subscription', 'pg_use_reserved_connections'))
WHERE s.rolsuper
UNION ALL
SELECT 'right', g.name, pg_catalog.format('GRANT %s ON DATABASE %I TO %s', a.privilege_type, h.datname, g.name)
FROM here h
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(h.datacl, pg_catalog.acldefault('d', h.datdba))) a
CROSS JOIN LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END) g (name)
UNION ALL
SELECT 'setting', s.name, pg_catalog.format('ALTER %s SET %s = %s',
    CASE WHEN s.setrole = 0 THEN pg_catalog.format('DATABASE %I', pg_catalog.current_database())
         WHEN s.setdatabase = 0 THEN pg_catalog.format('ROLE %I', pg_catalog.pg_get_userbyid(s.setrole))
         ELSE pg_catalog.format('ROLE %I IN DATABASE %I', pg_catalog.pg_get_userbyid(s.setrole), pg_catalog.current_database()) END,
    s.name, CASE WHEN s.name = 'search_path' THEN CASE s.value WHEN '' THEN '''''' ELSE s.value END ELSE pg_catalog.quote_literal(s.value) END)
FROM setting s WHERE s.setrole = 0 OR s.setrole IN (SELECT oid FROM role)
UNION ALL
SELECT 'server', name, reset_val FROM pg_catalog.pg_settings
WHERE name IN ('default_transaction_isolation', 'default_transaction_read_only', 'default_transaction_deferrable', 'TimeZone',
               'DateStyle', 'IntervalStyle', 'standard_conforming_strings', 'bytea_output', 'lock_timeout', 'check_function_bodies',
               'backslash_quote', 'default_text_search_config', 'row_security', 'array_nulls', 'default_with_oids', 'xmloption')
  AND source IN ('configuration file', 'command line', 'environment variable') AND reset_val <> ''
UNION ALL
SELECT CASE WHEN EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.deptype <> 'e'
          AND ((d.refclassid = 3079 AND d.refobjid = e.oid)
               OR (d.refclassid, d.refobjid) IN (SELECT m.classid, m.objid FROM member m WHERE m.extension = e.oid))
          AND (d.classid, d.objid) NOT IN (SELECT m.classid, m.objid FROM member m WHERE m.extension = e.oid)
          -- pg_amop, pg_amproc: parts of operator classes, which count themselves
          AND d.classid NOT IN (2602, 2603)
          -- inside parts of a member: its array type, its row type, its rule, its index, its constraint
          AND NOT (d.deptype IN ('i', 'a') AND d.classid IN (1247, 2618, 1259, 2606, 2604) AND (d.refclassid, d.refobjid) IN (SELECT m.classid, m.objid FROM member m WHERE m.extension = e.oid)))
    THEN 'extension' ELSE 'unused' END, e.extname, e.extversion
FROM pg_catalog.pg_extension e
UNION ALL
(SELECT 'tables', pg_catalog.pg_get_userbyid(c.relowner), '' FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 GROUP BY c.relowner ORDER BY count(*) DESC, c.relowner LIMIT 1)
UNION ALL
SELECT 'versions', n.nspname || '.' || c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relname = ANY ({TABLES}) AND n.nspname !~ '^pg_'
UNION ALL
SELECT 'fingerprint', '', pg_catalog.md5(pg_catalog.string_agg(x.line, ',' ORDER BY x.line))
FROM (
    SELECT pg_catalog.concat_ws(' ', n.nspname, c.relname, c.relkind, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef) COLLATE "C"
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind <> 't' AND c.relpersistence <> 't'
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', n.nspname, k.conname, k.conrelid, k.contype, k.convalidated) COLLATE "C"
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE n.nspname !~ '^pg_'
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', n.nspname, p.proname, p.proargtypes, pg_catalog.md5(p.prosrc)) COLLATE "C"
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', e.enumtypid, e.enumlabel) COLLATE "C" FROM pg_catalog.pg_enum e
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', t.tgrelid, t.tgname, t.tgenabled) COLLATE "C" FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
) x (line)
