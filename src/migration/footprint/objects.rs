//! Views, sequences, triggers, rules, policies, types, domains, publications, statistics, comments, grants.

use super::act::{Act, Step, refuse};
use super::alter_table;
use super::drop;
use super::expression;
use super::names;
use super::output;
use super::query::{self, Stage};
use super::routine;
use super::storage;
use crate::model::{
    DataType, ExtendedStatistics, LockMode, LockWork, Oid, Policy, PublicationTable, RangeEntry,
    RelationKind, Routine, Rule, Trigger, class,
};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    self, AlterDomainStmt, AlterEnumStmt, AlterPolicyStmt, AlterPublicationStmt, AlterSeqStmt,
    CmdType, CommentStmt, CompositeTypeStmt, CreateFunctionStmt, CreatePolicyStmt,
    CreatePublicationStmt, CreateSeqStmt, CreateStatsStmt, CreateTrigStmt, DropBehavior, GrantStmt,
    Node, ObjectType, RangeVar, RuleStmt, ViewStmt,
};

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

fn object_type(number: i32) -> ObjectType {
    ObjectType::try_from(number).unwrap_or(ObjectType::Undefined)
}

// ---- views ------------------------------------------------------------------------------------------

/// `CREATE VIEW` (`DefineView`): what is named is locked by parse analysis; a view that is replaced
/// gets ACCESS EXCLUSIVE.
pub fn view(act: &mut Act, statement: &ViewStmt) -> Step {
    let Some(range) = &statement.view else {
        return Ok(());
    };
    let query = statement.query.as_ref().and_then(|q| q.node.as_ref());
    if let Some(query) = query {
        query::run(act, query, Stage::Parsed)?;
    }
    let name = act.world.new_name(range);
    let existing = act.world.find_name(&name.schema, &name.relation);
    let oid = match existing {
        Some(existing) if statement.replace => {
            act.names(existing);
            act.lock(existing, AccessExclusive, "is replaced");
            if act.kind(existing) != RelationKind::View {
                return refuse(format!("{} is not a view", act.shown(existing)));
            }
            let rules: Vec<Oid> = act.world.rules.of(existing).map(|r| r.oid).collect();
            for rule in rules {
                act.world.forget((class::RULE, rule, 0));
            }
            existing
        }
        Some(_) => return refuse(format!("relation {name} already exists")),
        None => act.create(name, RelationKind::View),
    };
    put_view_columns(act, oid, &statement.aliases, query);
    if let Some(query) = query {
        put_view_rule(act, oid, query);
    }
    Ok(())
}

/// Remembers what a view reads.
pub fn put_view_rule(act: &mut Act, oid: Oid, query: &NodeEnum) {
    let tree = serde_json::to_value(query).unwrap_or_default();
    let mut range = Vec::new();
    collect_range(act, &tree, &mut range);
    let rule = act.world.new_oid();
    for sequence in expression::depends_on(act, &tree, "the query comes to use it") {
        act.world
            .depend((class::RULE, rule, 0), (class::RELATION, sequence, 0), 'n');
    }
    for entry in &range {
        act.world.depend(
            (class::RULE, rule, 0),
            (class::RELATION, entry.relation, 0),
            'n',
        );
    }
    act.world
        .depend((class::RULE, rule, 0), (class::RELATION, oid, 0), 'i');
    act.world.rules.put(Rule {
        oid: rule,
        name: "_RETURN".to_owned(),
        table: oid,
        event: '1',
        is_instead: true,
        enabled: 'O',
        range,
    });
}

fn collect_range(act: &Act, tree: &serde_json::Value, range: &mut Vec<RangeEntry>) {
    match tree {
        serde_json::Value::Array(items) => items.iter().for_each(|i| collect_range(act, i, range)),
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                if key == "RangeVar" {
                    let text = |k: &str| {
                        field
                            .get(k)
                            .and_then(serde_json::Value::as_str)
                            .unwrap_or_default()
                    };
                    if let Some(relation) = act.world.find_name(text("schemaname"), text("relname"))
                    {
                        range.push(RangeEntry {
                            relation,
                            with_children: field
                                .get("inh")
                                .and_then(serde_json::Value::as_bool)
                                .unwrap_or(true),
                            mode: 1,
                        });
                    }
                }
                collect_range(act, field, range);
            }
        }
        _ => {}
    }
}

/// Gives a new view or table the columns that its query is seen to have.
pub fn put_view_columns(act: &mut Act, oid: Oid, aliases: &[Node], query: Option<&NodeEnum>) {
    let mut columns = query.map(|q| output::of(act, q)).unwrap_or_default();
    for (at, name) in names::list(aliases).into_iter().enumerate() {
        match columns.get_mut(at) {
            Some(column) => column.name = name,
            None => columns.push(output::Output::unknown(&name)),
        }
    }
    if let Some(r) = act.world.relation_mut(oid) {
        r.columns.clear();
    }
    for column in columns {
        super::column::put_output(act, oid, &column);
    }
}

// ---- sequences --------------------------------------------------------------------------------------

/// The table of `OWNED BY table.column` among a sequence's options.
fn owner_of(act: &mut Act, options: &[Node]) -> Step<Option<(Oid, i16)>> {
    for option in options {
        let Some(NodeEnum::DefElem(e)) = &option.node else {
            continue;
        };
        if e.defname != "owned_by" {
            continue;
        }
        let mut parts = e.arg.as_deref().map(names::strings).unwrap_or_default();
        let column = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Ok(None);
        }
        let table = act.resolve(&names::range_var(&parts))?;
        act.lock(
            table,
            AccessShare,
            "one of its columns comes to own the sequence",
        );
        let number = alter_table::column_number(act, table, &column)?;
        return Ok(Some((table, number)));
    }
    Ok(None)
}

/// `CREATE SEQUENCE`
pub fn create_sequence(act: &mut Act, statement: &CreateSeqStmt) -> Step {
    let Some(range) = &statement.sequence else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    if act.world.find_name(&name.schema, &name.relation).is_some() {
        if statement.if_not_exists {
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    let oid = act.create(name, RelationKind::Sequence);
    if let Some((table, column)) = owner_of(act, &statement.options)? {
        act.world.depend(
            (class::RELATION, oid, 0),
            (class::RELATION, table, i32::from(column)),
            'a',
        );
    }
    Ok(())
}

/// `ALTER SEQUENCE` (`AlterSequence`)
pub fn alter_sequence(act: &mut Act, statement: &AlterSeqStmt) -> Step {
    let Some(range) = &statement.sequence else {
        return Ok(());
    };
    let Some(oid) = act.find(range) else {
        return if statement.missing_ok {
            Ok(())
        } else {
            act.missing(range)
        };
    };
    act.lock(oid, ShareRowExclusive, "is altered");
    if act.kind(oid) != RelationKind::Sequence {
        return refuse(format!("{} is not a sequence", act.shown(oid)));
    }
    act.lock(oid, RowExclusive, "is altered");
    let owns = statement
        .options
        .iter()
        .any(|o| matches!(&o.node, Some(NodeEnum::DefElem(e)) if e.defname == "owned_by"));
    let owner = owner_of(act, &statement.options)?;
    if owns {
        let old: Vec<Oid> = act
            .world
            .above((class::RELATION, oid, 0))
            .filter(|d| d.on_class == class::RELATION && d.kind == 'a')
            .map(|d| d.on_oid)
            .collect();
        for table in old {
            act.world
                .undepend((class::RELATION, oid), (class::RELATION, table));
        }
        if let Some((table, column)) = owner {
            act.world.depend(
                (class::RELATION, oid, 0),
                (class::RELATION, table, i32::from(column)),
                'a',
            );
        }
    }
    Ok(())
}

// ---- triggers, rules, policies ------------------------------------------------------------------------

/// `CREATE TRIGGER` (`CreateTriggerFiringOn`)
pub fn trigger(act: &mut Act, statement: &CreateTrigStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, ShareRowExclusive, "gets a trigger");
    if let Some(range) = &statement.constrrel {
        let other = act.resolve(range)?;
        act.lock(
            other,
            AccessShare,
            "the other table of a constraint trigger",
        );
    }
    let existing = act
        .world
        .triggers
        .of(oid)
        .find(|t| t.name == statement.trigname)
        .map(|t| t.oid);
    match existing {
        Some(_) if !statement.replace => {
            return refuse(format!(
                "trigger {} of {} already exists",
                statement.trigname,
                act.shown(oid)
            ));
        }
        Some(old) => act.world.forget((class::TRIGGER, old, 0)),
        None => {}
    }
    let parent = put_trigger(act, oid, statement, 0);
    if statement.row && act.kind(oid) == RelationKind::PartitionedTable {
        for partition in act.world.tree(oid).into_iter().skip(1) {
            act.lock(
                partition,
                ShareRowExclusive,
                format!(
                    "a partition of {}, which gets a row trigger",
                    act.shown(oid)
                ),
            );
            put_trigger(act, partition, statement, parent);
        }
    }
    Ok(())
}

fn put_trigger(act: &mut Act, table: Oid, statement: &CreateTrigStmt, parent: Oid) -> Oid {
    let function = act
        .world
        .find_routines(&names::list(&statement.funcname))
        .first()
        .map_or(0, |r| r.oid);
    let oid = act.world.new_oid();
    act.world.triggers.put(Trigger {
        oid,
        name: statement.trigname.clone(),
        table,
        function,
        events: i16::try_from(statement.events | statement.timing | i32::from(statement.row))
            .unwrap_or(0),
        enabled: 'O',
        is_internal: false,
        constraint: 0,
        referenced: 0,
        parent,
        columns: Vec::new(),
        is_deferred: statement.initdeferred,
    });
    let object = (class::TRIGGER, oid, 0);
    act.world.depend(object, (class::RELATION, table, 0), 'a');
    act.world.depend(object, (class::PROC, function, 0), 'n');
    if parent != 0 {
        act.world.depend(object, (class::TRIGGER, parent, 0), 'P');
        act.world.depend(object, (class::RELATION, table, 0), 'S');
    }
    oid
}

/// `CREATE RULE` (`DefineRule`)
pub fn rule(act: &mut Act, statement: &RuleStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "gets a rule");
    if statement.event() == CmdType::CmdSelect && act.kind(oid) == RelationKind::Table {
        becomes_a_view(act, oid)?;
    }
    for action in &statement.actions {
        rule_action(act, action)?;
        if let Ok(tree) = serde_json::to_value(action) {
            expression::depends_on(act, &tree, "the rule comes to use it");
            expression::fields(act, &tree, &|act, column| type_in(act, &tree, column));
        }
    }
    if let Some(clause) = statement
        .where_clause
        .as_ref()
        .and_then(|w| w.node.as_ref())
    {
        query::run(act, clause, Stage::Parsed)?;
    }
    let rule = act.world.new_oid();
    act.world.rules.put(Rule {
        oid: rule,
        name: statement.rulename.clone(),
        table: oid,
        event: char::from_digit(
            u32::try_from(statement.event)
                .unwrap_or(1)
                .saturating_sub(1),
            10,
        )
        .unwrap_or('1'),
        is_instead: statement.instead,
        enabled: 'O',
        range: Vec::new(),
    });
    act.world
        .depend((class::RULE, rule, 0), (class::RELATION, oid, 0), 'a');
    Ok(())
}

/// A table with an ON SELECT rule was a view, up to 15 (`DefineQueryRewrite`): its TOAST table goes.
fn becomes_a_view(act: &mut Act, oid: Oid) -> Step {
    if act.version() >= 16 {
        return refuse(format!(
            "{} is a table: it cannot have ON SELECT rules",
            act.shown(oid)
        ));
    }
    for part in storage::toast_of(act, oid) {
        act.lock(part, AccessExclusive, "goes: its table becomes a view");
    }
    if let Some(relation) = act.world.relation_mut(oid) {
        relation.kind = RelationKind::View;
        relation.toast = 0;
    }
    Ok(())
}

/// The type of a column of any relation that a tree names; 0: no such column.
fn type_in(act: &Act, tree: &serde_json::Value, column: &str) -> Oid {
    let mut range = Vec::new();
    collect_range(act, tree, &mut range);
    let target = query::targets(tree);
    let targets = target
        .iter()
        .filter_map(|name| act.world.find_name("", name));
    range
        .iter()
        .map(|entry| entry.relation)
        .chain(targets)
        .find_map(|relation| act.world.column(relation, column))
        .map_or(0, |c| c.type_oid)
}

fn rule_action(act: &mut Act, action: &Node) -> Step {
    match &action.node {
        Some(NodeEnum::List(list)) => list.items.iter().try_for_each(|a| rule_action(act, a)),
        Some(node) => query::run_rule_action(act, node),
        None => Ok(()),
    }
}

/// `CREATE POLICY` (`CreatePolicy`)
pub fn create_policy(act: &mut Act, statement: &CreatePolicyStmt) -> Step {
    let Some(range) = &statement.table else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "gets a policy");
    for clause in [&statement.qual, &statement.with_check]
        .into_iter()
        .flatten()
    {
        if let Some(node) = &clause.node {
            query::run(act, node, Stage::Parsed)?;
        }
    }
    let policy = act.world.new_oid();
    act.world.policies.put(Policy {
        oid: policy,
        name: statement.policy_name.clone(),
        table: oid,
        range: Vec::new(),
        check_range: Vec::new(),
        command: '*',
        roles: super::reach::role_names(&statement.roles),
    });
    act.world
        .depend((class::POLICY, policy, 0), (class::RELATION, oid, 0), 'a');
    Ok(())
}

/// `ALTER POLICY` (`AlterPolicy`)
pub fn alter_policy(act: &mut Act, statement: &AlterPolicyStmt) -> Step {
    let Some(range) = &statement.table else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "one of its policies is altered");
    let used: Vec<Oid> = act
        .world
        .policies
        .of(oid)
        .filter(|p| p.name == statement.policy_name)
        .flat_map(|p| {
            let using = p.range.iter().filter(|_| statement.qual.is_none());
            let check = p
                .check_range
                .iter()
                .filter(|_| statement.with_check.is_none());
            using.chain(check).map(|r| r.relation).collect::<Vec<_>>()
        })
        .collect();
    for clause in [&statement.qual, &statement.with_check]
        .into_iter()
        .flatten()
    {
        if let Some(node) = &clause.node {
            query::run(act, node, Stage::Parsed)?;
        }
    }
    for relation in used {
        act.depends_on(relation, "the policy reads it");
    }
    Ok(())
}

// ---- types --------------------------------------------------------------------------------------------

/// `CREATE TYPE … AS (…)`
pub fn composite_type(act: &mut Act, statement: &CompositeTypeStmt) -> Step {
    let Some(range) = &statement.typevar else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    if act.world.find_name(&name.schema, &name.relation).is_some() {
        return refuse(format!("type {name} already exists"));
    }
    let relation = act.create(name.clone(), RelationKind::CompositeType);
    for node in &statement.coldeflist {
        if let Some(NodeEnum::ColumnDef(def)) = &node.node {
            super::column::put(act, relation, def, true);
        }
    }
    let oid = put_type(act, &name.schema, &name.relation, 'c', 0);
    if let Some(t) = act.world.types.get_mut(&oid) {
        t.relation = relation;
    }
    if let Some(r) = act.world.relation_mut(relation) {
        r.row_type = oid;
    }
    Ok(())
}

/// Puts a type into the world.
pub fn put_type(act: &mut Act, schema: &str, name: &str, kind: char, base: Oid) -> Oid {
    let oid = act.world.new_oid();
    act.world.types.insert(
        oid,
        DataType {
            oid,
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            relation: 0,
            base,
            base_modifier: -1,
            element: 0,
            not_null: false,
            has_default: false,
            storage: 'p',
        },
    );
    oid
}

/// `ALTER TYPE … ADD VALUE`, `RENAME VALUE`: one at a time (`AddEnumLabel`, pg_enum.c).
pub fn alter_enum(act: &mut Act, statement: &AlterEnumStmt) {
    let found = act.world.find_type(&names::list(&statement.type_name));
    if let Some(oid) = found.map(|t| t.oid) {
        let what = drop::object_words(act, (class::TYPE, oid, 0));
        act.object(class::TYPE, oid, Exclusive, what);
    }
}

/// A type by a list of name parts: enums, domains, ranges.
pub fn create_type(
    act: &mut Act,
    parts: &[String],
    kind: char,
    base: Option<&protobuf::TypeName>,
    constrained: bool,
) {
    let Some(name) = parts.last().cloned() else {
        return;
    };
    let schema = match parts.len() {
        0 | 1 => act.world.creation_schema(),
        n => parts[n - 2].clone(),
    };
    let base = base
        .and_then(|b| act.world.find_type(&names::list(&b.names)).map(|t| t.oid))
        .unwrap_or(0);
    let oid = put_type(act, &schema, &name, kind, base);
    if let Some(t) = act.world.types.get_mut(&oid) {
        t.not_null = constrained;
    }
}

/// `CREATE DOMAIN` (`DefineDomain`)
pub fn domain(act: &mut Act, statement: &protobuf::CreateDomainStmt) {
    let constraints: Vec<&protobuf::Constraint> = statement
        .constraints
        .iter()
        .filter_map(|c| match &c.node {
            Some(NodeEnum::Constraint(c)) => Some(c.as_ref()),
            _ => None,
        })
        .collect();
    let is = |c: &protobuf::Constraint, kind: protobuf::ConstrType| c.contype == kind as i32;
    let constrained = constraints.iter().any(|c| {
        is(c, protobuf::ConstrType::ConstrNotnull) || is(c, protobuf::ConstrType::ConstrCheck)
    });
    let parts = names::list(&statement.domainname);
    create_type(act, &parts, 'd', statement.type_name.as_ref(), constrained);
    let Some(oid) = act.world.find_type(&parts).map(|t| t.oid) else {
        return;
    };
    for constraint in constraints {
        let Some(expr) = constraint.raw_expr.as_deref() else {
            continue;
        };
        if is(constraint, protobuf::ConstrType::ConstrDefault) {
            domain_default(act, oid, expr);
        } else {
            value_fields(act, expr, oid);
        }
    }
}

/// What a domain's default needs, the columns with it need too.
fn domain_default(act: &mut Act, domain: Oid, expression: &Node) {
    let Ok(tree) = serde_json::to_value(expression) else {
        return;
    };
    for sequence in expression::depends_on(act, &tree, "the domain's default comes to use it") {
        act.world.depend(
            (class::TYPE, domain, 0),
            (class::RELATION, sequence, 0),
            'n',
        );
    }
}

/// Fields of VALUE in a domain's CHECK.
fn value_fields(act: &mut Act, expression: &Node, domain: Oid) {
    if let Ok(tree) = serde_json::to_value(expression) {
        expression::fields(act, &tree, &|_, name| {
            if name == "value" { domain } else { 0 }
        });
    }
}

/// `ALTER DOMAIN` (`AlterDomainAddConstraint`, `AlterDomainNotNull`, `AlterDomainValidateConstraint`):
/// every table with a column of the domain is read with SHARE.
pub fn alter_domain(act: &mut Act, statement: &AlterDomainStmt) -> Step {
    let parts = names::list(&statement.type_name);
    let Some(domain) = act.world.find_type(&parts).map(|t| t.oid) else {
        return refuse(format!("type {} does not exist", parts.join(".")));
    };
    let constraint = match statement.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(NodeEnum::Constraint(c)) => Some(c),
        _ => None,
    };
    let reads = match statement.subtype.as_str() {
        "O" | "V" => true,
        "C" => constraint.is_some_and(|c| !c.skip_validation),
        _ => false,
    };
    if let Some(expr) = constraint.and_then(|c| c.raw_expr.as_deref()) {
        expression::check(act, 0, expr);
        value_fields(act, expr, domain);
    }
    if let Some(default) = statement
        .def
        .as_deref()
        .filter(|_| statement.subtype == "T")
    {
        domain_default(act, domain, default);
    }
    if statement.subtype == "X" {
        let found = act
            .world
            .constraints
            .all()
            .find(|c| c.domain == domain && c.name == statement.name)
            .map(|c| c.oid);
        if let Some(oid) = found {
            act.world.forget((class::CONSTRAINT, oid, 0));
        }
        return Ok(());
    }
    if reads {
        for table in tables_with(act, domain) {
            act.lock(table, Share, format!("has a column of {}", parts.join(".")));
            act.works(table, LockWork::Scan);
        }
    }
    if let Some(t) = act.world.types.get_mut(&domain) {
        t.not_null |= statement.subtype == "O" || statement.subtype == "C";
    }
    Ok(())
}

/// `get_rels_with_domain`: tables with a column of the domain, or of one over it.
fn tables_with(act: &Act, domain: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    let mut types = vec![domain];
    let mut next = 0;
    while next < types.len() {
        let below: Vec<_> = act
            .world
            .below((class::TYPE, types[next], 0))
            .copied()
            .collect();
        next += 1;
        for d in below {
            if d.class == class::TYPE && act.world.types.get(&d.oid).is_some_and(|t| t.kind == 'd')
            {
                types.push(d.oid);
            } else if d.class == class::RELATION
                && d.column > 0
                && matches!(
                    act.kind(d.oid),
                    RelationKind::Table | RelationKind::MaterializedView
                )
                && !found.contains(&d.oid)
            {
                found.push(d.oid);
            }
        }
    }
    found
}

// ---- statistics, publications ---------------------------------------------------------------------------

/// `CREATE STATISTICS`
pub fn statistics(act: &mut Act, statement: &CreateStatsStmt) -> Step {
    for node in &statement.relations {
        let Some(NodeEnum::RangeVar(range)) = &node.node else {
            continue;
        };
        let table = act.resolve(range)?;
        act.lock(table, ShareUpdateExclusive, "gets extended statistics");
        let oid = act.world.new_oid();
        act.world.statistics.put(ExtendedStatistics {
            oid,
            schema: act.world.creation_schema(),
            name: names::list(&statement.defnames).pop().unwrap_or_default(),
            table,
            columns: Vec::new(),
        });
        act.world.depend(
            (class::STATISTICS, oid, 0),
            (class::RELATION, table, 0),
            'a',
        );
    }
    Ok(())
}

fn publication_tables(objects: &[Node]) -> Vec<RangeVar> {
    objects
        .iter()
        .filter_map(|n| match &n.node {
            Some(NodeEnum::PublicationObjSpec(s)) => s.pubtable.as_ref()?.relation.clone(),
            _ => None,
        })
        .collect()
}

/// `OpenTableList` (publicationcmds.c): children of a plain parent too, partitions not.
fn open_published(act: &mut Act, ranges: &[RangeVar], missing_ok: bool) -> Step<Vec<Oid>> {
    let mut opened = Vec::new();
    for range in ranges {
        let Some(oid) = act.find(range) else {
            if missing_ok {
                continue;
            }
            return act.missing(range);
        };
        let tree = if range.inh && act.kind(oid) != RelationKind::PartitionedTable {
            act.world.tree(oid)
        } else {
            vec![oid]
        };
        for table in tree {
            act.lock(table, ShareUpdateExclusive, "is published, or no longer");
            opened.push(table);
        }
    }
    Ok(opened)
}

fn publish(act: &mut Act, name: &str, table: Oid) {
    let oid = act.world.new_oid();
    act.world.publications.put(PublicationTable {
        oid,
        table,
        publication: name.to_owned(),
    });
}

/// `CREATE PUBLICATION`
pub fn create_publication(act: &mut Act, statement: &CreatePublicationStmt) -> Step {
    for table in open_published(act, &publication_tables(&statement.pubobjects), false)? {
        publish(act, &statement.pubname, table);
    }
    Ok(())
}

/// `ALTER PUBLICATION … ADD|SET|DROP TABLE`
pub fn alter_publication(act: &mut Act, statement: &AlterPublicationStmt) -> Step {
    let tables = open_published(act, &publication_tables(&statement.pubobjects), false)?;
    let action = protobuf::AlterPublicationAction::try_from(statement.action);
    let old: Vec<PublicationTable> = act
        .world
        .publications
        .all()
        .filter(|p| p.publication == statement.pubname)
        .cloned()
        .collect();
    match action {
        Ok(protobuf::AlterPublicationAction::ApSetObjects) if !statement.pubobjects.is_empty() => {
            for one in old.iter().filter(|p| !tables.contains(&p.table)) {
                // AlterPublicationTables: tables that fall out of the list.
                act.lock(one.table, ShareUpdateExclusive, "is no longer published");
                act.world.forget((class::PUBLICATION_RELATION, one.oid, 0));
            }
            for table in tables {
                publish(act, &statement.pubname, table);
            }
        }
        Ok(protobuf::AlterPublicationAction::ApDropObjects) => {
            for one in old.iter().filter(|p| tables.contains(&p.table)) {
                act.world.forget((class::PUBLICATION_RELATION, one.oid, 0));
            }
        }
        _ => {
            for table in tables {
                publish(act, &statement.pubname, table);
            }
        }
    }
    Ok(())
}

// ---- comments, grants ---------------------------------------------------------------------------------

/// `COMMENT ON` (`CommentObject`), `SECURITY LABEL`
pub fn comment(act: &mut Act, objtype: i32, object: Option<&Node>) -> Step {
    let parts = object.map(names::strings).unwrap_or_default();
    let (range, mode) = match object_type(objtype) {
        ObjectType::ObjectTable
        | ObjectType::ObjectIndex
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable => (names::range_var(&parts), ShareUpdateExclusive),
        ObjectType::ObjectColumn => (
            names::range_var(&parts[..parts.len().saturating_sub(1)]),
            ShareUpdateExclusive,
        ),
        ObjectType::ObjectTabconstraint
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy => (
            names::range_var(&parts[..parts.len().saturating_sub(1)]),
            AccessShare,
        ),
        ObjectType::ObjectType => {
            return Ok(());
        }
        _ => return Ok(()),
    };
    let oid = act.resolve(&range)?;
    act.lock(oid, mode, "is commented on");
    Ok(())
}

/// `COMMENT ON …`
pub fn comment_on(act: &mut Act, statement: &CommentStmt) -> Step {
    comment(act, statement.objtype, statement.object.as_deref())
}

/// `GRANT`, `REVOKE` on tables and sequences: no lock before 18, ACCESS SHARE since
/// (`objectNamesToOids`, aclchk.c).
pub fn grant(act: &mut Act, statement: &GrantStmt) -> Step {
    let on_objects = statement.targtype == protobuf::GrantTargetType::AclTargetObject as i32;
    let kind = object_type(statement.objtype);
    if !on_objects
        || !matches!(
            kind,
            ObjectType::ObjectTable | ObjectType::ObjectSequence | ObjectType::ObjectColumn
        )
    {
        return Ok(());
    }
    for object in &statement.objects {
        let range = names::range_var(&names::strings(object));
        let oid = act.resolve(&range)?;
        if act.version() >= 18 {
            act.lock(oid, AccessShare, "its privileges change");
        }
    }
    Ok(())
}

// ---- functions ----------------------------------------------------------------------------------------

/// `CREATE FUNCTION`: the body of an SQL function is analysed (`fmgr_sql_validator`), that of other
/// languages is not read.
pub fn function(act: &mut Act, statement: &CreateFunctionStmt) -> Step {
    let parts = names::list(&statement.funcname);
    let language = routine::language(&statement.options)
        .unwrap_or_else(|| "sql".to_owned())
        .to_lowercase();
    let body = routine::body_of(statement);
    if let Some(tree) = &statement.sql_body {
        if let Some(node) = &tree.node {
            let _ = query::run(act, node, Stage::Rewritten);
        }
    } else if language == "sql"
        && act.world.session.check_function_bodies
        && let Some(text) = &body
    {
        analyse_body(act, text);
    }
    for parameter in &statement.parameters {
        if let Some(NodeEnum::FunctionParameter(p)) = &parameter.node
            && let Some(default) = &p.defexpr
            && let Ok(tree) = serde_json::to_value(default)
        {
            expression::depends_on(act, &tree, "an argument's default comes to use it");
        }
    }
    if let Some(body) = &statement.sql_body
        && let Ok(tree) = serde_json::to_value(body)
    {
        expression::depends_on(act, &tree, "the function comes to use it");
    }
    put_routine(act, statement, &parts, &language, body);
    Ok(())
}

fn analyse_body(act: &mut Act, text: &str) {
    let Some(parsed) = crate::migration::depth::parse(text) else {
        return;
    };
    for statement in &parsed.protobuf.stmts {
        let Some(node) = statement.stmt.as_ref().and_then(|s| s.node.as_ref()) else {
            continue;
        };
        // transformStmt, analyze.c: of utility statements, those with a query in them.
        let query = match node {
            NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_) => Some(node),
            NodeEnum::DeclareCursorStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            NodeEnum::ExplainStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            NodeEnum::CreateTableAsStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            _ => None,
        };
        if let Some(query) = query {
            let _ = query::run(act, query, Stage::Rewritten);
        }
    }
}

fn put_routine(
    act: &mut Act,
    statement: &CreateFunctionStmt,
    parts: &[String],
    language: &str,
    body: Option<String>,
) {
    let Some(name) = parts.last().cloned() else {
        return;
    };
    let schema = match parts.len() {
        0 | 1 => act.world.creation_schema(),
        n => parts[n - 2].clone(),
    };
    let replaced: Vec<Oid> = act
        .world
        .routines
        .values()
        .filter(|r| {
            statement.replace
                && r.name == name
                && r.schema == schema
                && i32::from(r.arguments) == i32::try_from(statement.parameters.len()).unwrap_or(0)
        })
        .map(|r| r.oid)
        .collect();
    let oid = replaced
        .first()
        .copied()
        .unwrap_or_else(|| act.world.new_oid());
    let returns = statement
        .return_type
        .as_ref()
        .map_or(0, |t| super::column::type_of(act, t));
    let argument_names = statement
        .parameters
        .iter()
        .filter_map(|p| match &p.node {
            Some(NodeEnum::FunctionParameter(p)) => Some(p.name.clone()),
            _ => None,
        })
        .collect();
    act.world.routines.insert(
        oid,
        Routine {
            oid,
            schema,
            name,
            kind: if statement.is_procedure { 'p' } else { 'f' },
            language: language.to_owned(),
            volatility: routine::volatility(&statement.options),
            arguments: i16::try_from(statement.parameters.len()).unwrap_or(0),
            signature: Vec::new(),
            argument_names,
            returns,
            body,
        },
    );
}

// ---- schemas, owned objects -------------------------------------------------------------------------

/// `DROP OWNED BY`: everything of the role's goes, like DROP … for each.
pub fn drop_owned(act: &mut Act, statement: &protobuf::DropOwnedStmt) -> Step {
    let roles = super::reach::role_names(&statement.roles);
    let mut objects: Vec<super::world::Object> = act
        .world
        .relations()
        .filter(|r| roles.contains(&r.owner) && !r.kind.is_index() && r.kind != RelationKind::Toast)
        .filter(|r| !super::world::World::is_catalog(r.oid))
        .map(|r| (class::RELATION, r.oid, 0))
        .collect();
    objects.sort_unstable();
    // RemoveRoleFromObjectPolicy, policy.c: a policy for this role alone goes.
    let policies: Vec<(Oid, Oid, bool)> = act
        .world
        .policies
        .all()
        .filter(|p| p.roles.iter().any(|r| roles.contains(r)))
        .map(|p| (p.oid, p.table, p.roles.iter().all(|r| roles.contains(r))))
        .collect();
    for (policy, table, goes) in policies {
        if goes {
            objects.push((class::POLICY, policy, 0));
        } else {
            act.touch(table, AccessExclusive, "one of its policies loses the role");
        }
    }
    act.notes
        .push("privileges of the role on other relations are not listed".to_owned());
    drop::delete(
        act,
        &objects,
        statement.behavior == DropBehavior::DropCascade as i32,
        "belongs to the role",
    )
}
