-- What belongs to roles: asked only where one is named whose objects are worked on.
  UNION
    SELECT s.classid, s.objid, 'r' FROM pg_catalog.pg_shdepend s
    JOIN pg_catalog.pg_roles o ON s.refclassid = 1260 AND s.refobjid = o.oid
    WHERE o.rolname = ANY ($5) AND s.objid >= 16384
      AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
