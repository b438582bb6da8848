-- What is named as an object that is no relation, type or function: asked only where the walk follows those.
  UNION
    SELECT o.classid, o.objid, 'r' FROM (
        SELECT 3079::oid, oid, extname FROM pg_catalog.pg_extension
        UNION ALL SELECT 1417, oid, srvname FROM pg_catalog.pg_foreign_server
        UNION ALL SELECT 2328, oid, fdwname FROM pg_catalog.pg_foreign_data_wrapper
        UNION ALL SELECT 2612, oid, lanname FROM pg_catalog.pg_language
        UNION ALL SELECT 2601, oid, amname FROM pg_catalog.pg_am
        UNION ALL SELECT 2617, oid, oprname FROM pg_catalog.pg_operator WHERE oprname = ANY ($1)
        UNION ALL SELECT 2616, oid, opcname FROM pg_catalog.pg_opclass
        UNION ALL SELECT 2753, oid, opfname FROM pg_catalog.pg_opfamily
        UNION ALL SELECT 3602, oid, cfgname FROM pg_catalog.pg_ts_config
        UNION ALL SELECT 3600, oid, dictname FROM pg_catalog.pg_ts_dict
        UNION ALL SELECT 3601, oid, prsname FROM pg_catalog.pg_ts_parser
        UNION ALL SELECT 3764, oid, tmplname FROM pg_catalog.pg_ts_template
        UNION ALL SELECT 3456, oid, collname FROM pg_catalog.pg_collation WHERE collname = ANY ($1)
    ) o (classid, objid, name)
    WHERE o.name = ANY ($1) AND o.objid >= 16384
