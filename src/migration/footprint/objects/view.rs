//! Views and rules.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::query::walk;
use crate::migration::footprint::query::walk::Stage;
use crate::migration::footprint::stored;
use crate::migration::footprint::{expression, names, new_column, output, storage};
use crate::migration::parts;
use crate::model::{LockMode, Oid, RangeEntry, RelationKind, Rule, class};
use pg_query::protobuf::{CmdType, Node, RuleStmt, ViewStmt};
use pg_query::{NodeEnum, NodeRef};

use LockMode::AccessExclusive;

/// `CREATE VIEW` (`DefineView`): what is named is locked by parse analysis; a view that is replaced
/// gets ACCESS EXCLUSIVE.
pub fn view(act: &mut Act, statement: &ViewStmt) -> Step {
    let Some(range) = &statement.view else {
        return Ok(());
    };
    let query = statement.query.as_ref().and_then(|q| q.node.as_ref());
    if let Some(query) = query {
        walk::run(act, query, Stage::Parsed)?;
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
            keeps_columns(act, existing, &statement.aliases, query)?;
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

/// A view that is replaced keeps its columns (`checkViewColumns`). Only a query without a star shows how many it has.
fn keeps_columns(act: &Act, view: Oid, aliases: &[Node], query: Option<&NodeEnum>) -> Step {
    let Some(NodeEnum::SelectStmt(select)) = query else {
        return Ok(());
    };
    let has_star = |node: &Node| parts::all(node).any(|n| matches!(n, NodeRef::AStar(_)));
    if select.target_list.is_empty() || select.target_list.iter().any(has_star) {
        return Ok(());
    }
    let old = act.world.relation(view).map_or(0, |r| r.columns.len());
    if select.target_list.len().max(aliases.len()) < old {
        return refuse(format!(
            "CREATE OR REPLACE VIEW cannot drop columns of {}",
            act.shown(view)
        ));
    }
    Ok(())
}

/// Remembers what a view reads.
pub fn put_view_rule(act: &mut Act, oid: Oid, query: &NodeEnum) {
    let range = range_of(act, query);
    let rule = act.world.new_oid();
    for sequence in expression::depends_on(act, query, "the query uses it") {
        act.world
            .depend((class::RULE, rule, 0), (class::RELATION, sequence, 0), 'n');
    }
    stored::note(act, (class::RULE, rule, 0), query);
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

/// The relations that a tree names.
fn range_of<'a>(act: &Act, tree: impl Into<parts::Tree<'a>>) -> Vec<RangeEntry> {
    let named = parts::all(tree).filter_map(|node| match node {
        NodeRef::RangeVar(range) => Some(RangeEntry {
            relation: act.world.find_name(&range.schemaname, &range.relname)?,
            with_children: range.inh,
            mode: 1,
        }),
        _ => None,
    });
    named.collect()
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
        new_column::put_output(act, oid, &column);
    }
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
        expression::depends_on(act, action, "the rule uses it");
        expression::fields(act, action, &|act, column| type_in(act, action, column));
    }
    if let Some(clause) = statement
        .where_clause
        .as_ref()
        .and_then(|w| w.node.as_ref())
    {
        walk::run(act, clause, Stage::Parsed)?;
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
        act.lock(
            part,
            AccessExclusive,
            "is dropped: its table becomes a view",
        );
    }
    if let Some(relation) = act.world.relation_mut(oid) {
        relation.kind = RelationKind::View;
        relation.toast = 0;
    }
    Ok(())
}

/// The type of a column of any relation that a tree names; 0: no such column.
fn type_in(act: &Act, tree: &Node, column: &str) -> Oid {
    range_of(act, tree)
        .iter()
        .find_map(|entry| act.world.column(entry.relation, column))
        .map_or(0, |c| c.type_oid)
}

fn rule_action(act: &mut Act, action: &Node) -> Step {
    match &action.node {
        Some(NodeEnum::List(list)) => list.items.iter().try_for_each(|a| rule_action(act, a)),
        Some(node) => walk::run_rule_action(act, node),
        None => Ok(()),
    }
}
