-- What the names of a migration lead to, as (classid, objid, role).
-- Roles: r root (named), d depends on a root (what DROP … CASCADE would take), a ancestor of a root in an
-- inheritance tree, p partner: touched, but nothing is followed from it but its own indexes, children and
-- what its views read.
-- $1 names; $2 follow every foreign key, $8 those that write rows; $3 follow dependents of types, functions and the like;
-- $4 schemas that are dropped, or worked on whole; $5 roles whose objects are worked on; $6 every relation;
-- $7 rows are written.
-- Reads system catalogs only and calls nothing that opens a relation.
-- LATERAL with OFFSET 0 says in which order two catalogs are read: where they were never analysed, the planner took
-- the dependencies of all defaults of the database for few.
WITH RECURSIVE
seed (classid, objid, role) AS (
    SELECT 1259::oid, c.oid, CASE WHEN c.oid < 16384 THEN 'p' ELSE 'r' END
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY ($1)
      AND (n.nspname = ANY (pg_catalog.current_setting('pgguard.schemas')::name[]) OR n.nspname = ANY ($1))
  UNION
    SELECT 1247::oid, t.oid, CASE WHEN $3 AND t.oid >= 16384 THEN 'r' ELSE 'p' END
    FROM pg_catalog.pg_type t WHERE t.typname = ANY ($1)
  UNION
    SELECT 1255::oid, p.oid, CASE WHEN $3 AND p.oid >= 16384 THEN 'r' ELSE 'p' END
    FROM pg_catalog.pg_proc p WHERE p.proname = ANY ($1) AND p.oid >= 16384
  UNION
    SELECT 1255::oid, e.evtfoid, 'p' FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled IN ('O', 'A')
  UNION
    SELECT 3381::oid, s.oid, 'r' FROM pg_catalog.pg_statistic_ext s WHERE s.stxname = ANY ($1)
  UNION
    -- operators of users: a function is behind each
    SELECT 2617::oid, o.oid, 'p' FROM pg_catalog.pg_operator o WHERE o.oprname = ANY ($1) AND o.oid >= 16384
  UNION
    -- the tables of a publication: those that fall out of a new list are locked too
    SELECT 1259::oid, r.prrelid, 'p' FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = ANY ($1)
  UNION
    SELECT 2615::oid, n.oid, 'r' FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($4)
  {OBJECTS}
  UNION
    SELECT 1259::oid, c.oid, 'p' FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384
      AND ($6 OR (cardinality($4) > 0
                  AND c.relnamespace IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY ($4))))
      AND c.relkind IN ('r', 'p', 'm', 'S', 'v', 'f')
  {ROLES}
),
walk (classid, objid, role) AS (
    SELECT * FROM seed
  UNION
    SELECT n.classid, n.objid, n.role
    FROM walk w CROSS JOIN LATERAL (
        -- what depends on it
        SELECT d.classid, d.objid, 'd'
        FROM pg_catalog.pg_depend d
        WHERE w.role IN ('r', 'd') AND d.refclassid = w.classid AND d.refobjid = w.objid
          -- a text search configuration only where what is dropped may be one, or part of one
          AND (d.classid <> 3602 OR $3)
      UNION ALL
        -- what it is an internal part of: the view of a rule, the constraint of an index
        SELECT d.refclassid, d.refobjid, CASE WHEN d.refclassid = 1259 AND w.classid = 1259 AND d.refobjsubid > 0 THEN 'p' ELSE 'd' END
        FROM pg_catalog.pg_depend d
        WHERE w.role IN ('r', 'd') AND d.classid = w.classid AND d.objid = w.objid
          AND d.deptype IN ('i', 'P', 'S', 'e') AND (d.deptype <> 'e' OR $3) AND d.refobjid >= 16384
      UNION ALL
        SELECT e.classid, e.objid, e.role FROM (
            -- children and partitions, ancestors, the ancestors' default partitions
            SELECT 1259::oid AS classid, i.inhrelid AS objid, w.role
            FROM pg_catalog.pg_inherits i WHERE w.role <> 'a' AND i.inhparent = w.objid
          UNION ALL
            SELECT 1259::oid, i.inhparent, 'a'
            FROM pg_catalog.pg_inherits i WHERE w.role <> 'p' AND i.inhrelid = w.objid
          UNION ALL
            SELECT 1259::oid, t.partdefid, 'p'
            FROM pg_catalog.pg_partitioned_table t WHERE t.partrelid = w.objid AND t.partdefid <> 0
          UNION ALL
            -- its indexes, the table of an index, the TOAST table
            SELECT 1259::oid, x.indexrelid, CASE w.role WHEN 'a' THEN 'p' ELSE w.role END
            FROM pg_catalog.pg_index x WHERE x.indrelid = w.objid
          UNION ALL
            SELECT 1259::oid, x.indrelid, CASE w.role WHEN 'r' THEN 'd' ELSE 'p' END
            FROM pg_catalog.pg_index x WHERE x.indexrelid = w.objid
          UNION ALL
            SELECT 1259::oid, c.reltoastrelid, 'p'
            FROM pg_catalog.pg_class c WHERE c.oid = w.objid AND c.reltoastrelid <> 0
          UNION ALL
            SELECT 1247::oid, c.reloftype, 'p'
            FROM pg_catalog.pg_class c WHERE c.oid = w.objid AND c.reloftype <> 0
          UNION ALL
            -- the other side of its own foreign keys
            SELECT 2606::oid, k.oid, 'd'
            FROM pg_catalog.pg_constraint k WHERE w.role IN ('r', 'd') AND k.conrelid = w.objid
          UNION ALL
            -- what its rules, policies and defaults use
            SELECT d.refclassid, d.refobjid,
                   -- the table under a view that rows are written through
                   CASE WHEN $7 AND w.role = 'r' AND d.refclassid = 1259 THEN 'r' ELSE 'p' END
            FROM pg_catalog.pg_rewrite r
            CROSS JOIN LATERAL (SELECT * FROM pg_catalog.pg_depend d
                                WHERE d.classid = 2618 AND d.objid = r.oid OFFSET 0) d
            WHERE r.ev_class = w.objid AND d.refclassid IN (1259, 1255, 2617)
          UNION ALL
            SELECT d.refclassid, d.refobjid, 'p'
            FROM pg_catalog.pg_policy p
            CROSS JOIN LATERAL (SELECT * FROM pg_catalog.pg_depend d
                                WHERE d.classid = 3256 AND d.objid = p.oid OFFSET 0) d
            WHERE p.polrelid = w.objid AND d.refclassid IN (1259, 1255, 2617)
          UNION ALL
            SELECT d.refclassid, d.refobjid, 'p'
            FROM pg_catalog.pg_attrdef a
            CROSS JOIN LATERAL (SELECT * FROM pg_catalog.pg_depend d
                                WHERE d.classid = 2604 AND d.objid = a.oid OFFSET 0) d
            WHERE a.adrelid = w.objid AND d.refclassid IN (1259, 1255, 2617) AND d.refobjid <> w.objid
          UNION ALL
            SELECT 1255::oid, t.tgfoid, 'p'
            FROM pg_catalog.pg_trigger t WHERE t.tgrelid = w.objid AND t.tgfoid >= 16384
          UNION ALL
            SELECT 1259::oid, t.tgconstrrelid, 'p'
            FROM pg_catalog.pg_trigger t
            WHERE w.role IN ('r', 'd') AND t.tgrelid = w.objid AND t.tgconstrrelid <> 0
        ) e WHERE w.classid = 1259 AND w.objid >= 16384
      UNION ALL
        SELECT e.classid, e.objid, e.role FROM (
            SELECT 1259::oid AS classid, k.conrelid AS objid,
                   CASE WHEN w.role <> 'p'
                         AND ($2 OR ($8 AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))))
                        THEN 'r' ELSE 'p' END AS role
            FROM pg_catalog.pg_constraint k WHERE k.oid = w.objid AND k.conrelid <> 0
          UNION ALL
            SELECT 1259::oid, k.confrelid, 'p'
            FROM pg_catalog.pg_constraint k WHERE k.oid = w.objid AND k.confrelid <> 0
          UNION ALL
            SELECT 2606::oid, k.conparentid, 'p'
            FROM pg_catalog.pg_constraint k WHERE k.oid = w.objid AND k.conparentid <> 0
          UNION ALL
            SELECT 2606::oid, k.oid, 'p'
            FROM pg_catalog.pg_constraint k WHERE k.conparentid = w.objid
        ) e WHERE w.classid = 2606
      UNION ALL
        -- functions and operators in stored expressions: of indexes, checks, defaults, statistics; behind
        -- operators and aggregates; in bodies that are stored parsed, which read relations, too, and in the defaults of
        -- domains, which take numbers from sequences
        SELECT d.refclassid, d.refobjid, 'p'
        FROM pg_catalog.pg_depend d
        WHERE w.classid IN (1247, 1255, 1259, 2604, 2606, 2617, 3381) AND d.classid = w.classid AND d.objid = w.objid
          AND (d.refclassid IN (1255, 2617) OR w.classid IN (1247, 1255) AND d.refclassid = 1259) AND d.refobjid >= 16384
      UNION ALL
        -- the checks of a domain
        SELECT 2606::oid, k.oid, 'p'
        FROM pg_catalog.pg_constraint k WHERE w.classid = 1247 AND k.contypid = w.objid
      UNION ALL
        SELECT e.classid, e.objid, 'p' FROM (
            SELECT 1259::oid AS classid, t.tgrelid AS objid FROM pg_catalog.pg_trigger t WHERE w.classid = 2620 AND t.oid = w.objid
          UNION ALL
            SELECT 1259::oid, r.ev_class FROM pg_catalog.pg_rewrite r WHERE w.classid = 2618 AND r.oid = w.objid
          UNION ALL
            SELECT 1259::oid, p.polrelid FROM pg_catalog.pg_policy p WHERE w.classid = 3256 AND p.oid = w.objid
          UNION ALL
            SELECT 1259::oid, a.adrelid FROM pg_catalog.pg_attrdef a WHERE w.classid = 2604 AND a.oid = w.objid
          UNION ALL
            SELECT 1259::oid, s.stxrelid FROM pg_catalog.pg_statistic_ext s WHERE w.classid = 3381 AND s.oid = w.objid
          UNION ALL
            SELECT 1259::oid, p.prrelid FROM pg_catalog.pg_publication_rel p WHERE w.classid = 6106 AND p.oid = w.objid
          UNION ALL
            SELECT 1259::oid, t.typrelid FROM pg_catalog.pg_type t WHERE w.classid = 1247 AND t.oid = w.objid AND t.typrelid >= 16384
          UNION ALL
            SELECT 1247::oid, t.typbasetype FROM pg_catalog.pg_type t WHERE w.classid = 1247 AND t.oid = w.objid AND t.typbasetype <> 0
          UNION ALL
            SELECT 1247::oid, t.typelem FROM pg_catalog.pg_type t WHERE w.classid = 1247 AND t.oid = w.objid AND t.typelem >= 16384
          UNION ALL
            SELECT 1247::oid, t.typarray FROM pg_catalog.pg_type t WHERE w.classid = 1247 AND t.oid = w.objid AND t.typarray >= 16384
          UNION ALL
            SELECT 1247::oid, p.prorettype FROM pg_catalog.pg_proc p WHERE w.classid = 1255 AND p.oid = w.objid AND p.prorettype >= 16384
          UNION ALL
            -- types of columns: their row types are locked with a new column of that type
            SELECT 1247::oid, a.atttypid FROM pg_catalog.pg_attribute a
            WHERE w.classid = 1259 AND w.objid >= 16384 AND a.attrelid = w.objid AND a.attnum > 0 AND a.atttypid >= 16384
        ) e
    ) n (classid, objid, role)
)
SELECT classid::int8 AS class, objid::int8 AS oid, bool_or(role IN ('r', 'd')) AS followed
FROM walk GROUP BY classid, objid
