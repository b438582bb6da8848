-- Every name by which a migration can reach something, as one array. Reads system catalogs only.
SELECT DISTINCT name::text FROM (
    SELECT relname FROM pg_catalog.pg_class WHERE relpersistence <> 't' AND relkind <> 't'
    UNION ALL SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
    -- Arrays of Postgres's own types are named by their elements.
    UNION ALL SELECT typname FROM pg_catalog.pg_type WHERE typname !~ '^_' OR oid >= 16384
    UNION ALL SELECT proname FROM pg_catalog.pg_proc
    UNION ALL SELECT rolname FROM pg_catalog.pg_roles
    UNION ALL SELECT spcname FROM pg_catalog.pg_tablespace
    UNION ALL SELECT oprname FROM pg_catalog.pg_operator WHERE oid >= 16384
    UNION ALL SELECT stxname FROM pg_catalog.pg_statistic_ext
    UNION ALL SELECT pubname FROM pg_catalog.pg_publication
    UNION ALL SELECT extname FROM pg_catalog.pg_extension
    UNION ALL SELECT e.name FROM pg_catalog.pg_available_extensions() e
    UNION ALL SELECT srvname FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT fdwname FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT lanname FROM pg_catalog.pg_language
    UNION ALL SELECT amname FROM pg_catalog.pg_am
    UNION ALL SELECT opcname FROM pg_catalog.pg_opclass
    UNION ALL SELECT opfname FROM pg_catalog.pg_opfamily WHERE oid >= 16384
    UNION ALL SELECT cfgname FROM pg_catalog.pg_ts_config WHERE oid >= 16384
    UNION ALL SELECT dictname FROM pg_catalog.pg_ts_dict WHERE oid >= 16384
    UNION ALL SELECT prsname FROM pg_catalog.pg_ts_parser WHERE oid >= 16384
    UNION ALL SELECT tmplname FROM pg_catalog.pg_ts_template WHERE oid >= 16384
    UNION ALL SELECT collname FROM pg_catalog.pg_collation WHERE oid >= 16384
) names (name)
