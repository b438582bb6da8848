//! `CREATE INDEX`

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::index::part::Shape;
use crate::migration::footprint::index::{part, reindex};
use crate::migration::footprint::output;
use crate::migration::footprint::stored;
use crate::migration::footprint::types;
use crate::migration::footprint::{altering, expression, names};
use crate::migration::parts;
use crate::model::class;
use crate::model::{IndexKey, LockMode, Oid, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{IndexStmt, Node};

use LockMode::{Share, ShareUpdateExclusive};

/// `CREATE INDEX` (`DefineIndex`, indexcmds.c; the children are locked in `ProcessUtilitySlow`).
pub fn create(act: &mut Act, statement: &IndexStmt) -> Step {
    let Some(range) = &statement.relation else {
        return refuse("no table is named");
    };
    if statement.concurrent {
        act.not_in_block("CREATE INDEX CONCURRENTLY")?;
    }
    let table = act.resolve(range)?;
    let kind = act.kind(table);
    let is_temporary = act
        .world
        .relation(table)
        .is_some_and(|r| r.persistence == 't');
    let concurrent = statement.concurrent && !is_temporary;
    let mode = if concurrent {
        ShareUpdateExclusive
    } else {
        Share
    };
    act.lock(table, mode, "gets an index");
    if !matches!(
        kind,
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView
    ) {
        return refuse(format!("{} is a {}", act.shown(table), kind.words()));
    }
    let recurses = kind == RelationKind::PartitionedTable && range.inh;
    if recurses {
        for partition in act.world.tree(table).into_iter().skip(1) {
            act.lock(
                partition,
                mode,
                format!("a partition of {}, which gets an index", act.shown(table)),
            );
        }
        if concurrent {
            return refuse("an index on a partitioned table cannot be created concurrently");
        }
    }
    for node in statement
        .index_params
        .iter()
        .chain(statement.where_clause.as_deref())
    {
        expression::check(act, table, node);
        types::look_at_row_types(act, output::type_of(act, node));
    }
    let shape = shape_of(act, table, statement)?;
    let name = if statement.idxname.is_empty() {
        chosen_name(act, table, &statement.index_params, &shape)
    } else {
        statement.idxname.clone()
    };
    let schema = act.relation(table)?.name.schema.clone();
    if let Some(existing) = act.world.find_name(&schema, &name) {
        if statement.if_not_exists {
            if act.world.indexes.get(existing).is_some_and(|i| !i.is_valid) {
                act.notes.push(format!(
                    "{} exists and is invalid: IF NOT EXISTS leaves it so",
                    act.shown(existing)
                ));
            }
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    let index = part::build(act, table, &name, &shape, recurses);
    for node in statement
        .index_params
        .iter()
        .chain(statement.where_clause.as_deref())
    {
        stored::note(act, (class::RELATION, index, 0), node);
    }
    if concurrent {
        reindex::phases_of_build(act, table)?;
    }
    Ok(())
}

fn shape_of(act: &Act, table: Oid, statement: &IndexStmt) -> Step<part::Shape> {
    let mut shape = part::Shape {
        is_unique: statement.unique || statement.primary,
        is_primary: statement.primary,
        method: (!statement.access_method.is_empty()).then(|| statement.access_method.clone()),
        keys: statement.index_params.iter().filter_map(key_of).collect(),
        ..Shape::default()
    };
    let mut expressions = Vec::new();
    for node in &statement.index_params {
        let Some(NodeEnum::IndexElem(element)) = &node.node else {
            continue;
        };
        if element.name.is_empty() {
            shape.columns.push(0);
            expressions.push(written(element.expr.as_deref()));
        } else {
            shape
                .columns
                .push(altering::column_number(act, table, &element.name)?);
        }
    }
    shape.key_columns = i16::try_from(shape.columns.len()).unwrap_or(i16::MAX);
    for node in &statement.index_including_params {
        if let Some(NodeEnum::IndexElem(element)) = &node.node {
            shape
                .columns
                .push(altering::column_number(act, table, &element.name)?);
        }
    }
    shape.expressions = (!expressions.is_empty()).then(|| expressions.join(","));
    shape.predicate = statement
        .where_clause
        .as_deref()
        .map(|condition| written(Some(condition)));
    Ok(shape)
}

/// An expression, by the words in it: what the server would write is not known.
fn written(expression: Option<&Node>) -> String {
    let words: Vec<&str> = expression.into_iter().flat_map(parts::texts).collect();
    words.join(" ")
}

/// What a key column of the statement says of its operator class and collation.
fn key_of(node: &Node) -> Option<IndexKey> {
    let Some(NodeEnum::IndexElem(element)) = &node.node else {
        return None;
    };
    let name = |list: &[Node]| names::list(list).pop().unwrap_or_default();
    Some(IndexKey {
        opclass: name(&element.opclass),
        is_default: element.opclass.is_empty(),
        collation: name(&element.collation),
        is_columns: element.collation.is_empty(),
    })
}

/// `ChooseIndexName`
fn chosen_name(act: &Act, table: Oid, params: &[Node], shape: &part::Shape) -> String {
    let parts: Vec<String> = params
        .iter()
        .filter_map(|p| match &p.node {
            Some(NodeEnum::IndexElem(e)) if !e.name.is_empty() => Some(e.name.clone()),
            Some(NodeEnum::IndexElem(e)) => {
                Some(match e.expr.as_deref().and_then(|x| x.node.as_ref()) {
                    Some(NodeEnum::FuncCall(f)) => {
                        names::list(&f.funcname).pop().unwrap_or_default()
                    }
                    _ => "expr".to_owned(),
                })
            }
            _ => None,
        })
        .collect();
    let Some(relation) = act.world.relation(table) else {
        return "idx".to_owned();
    };
    let (second, label) = if shape.is_primary {
        (String::new(), "pkey")
    } else if shape.is_exclusion {
        (parts.join("_"), "excl")
    } else if shape.is_unique && params.is_empty() {
        (parts.join("_"), "key")
    } else {
        (parts.join("_"), "idx")
    };
    part::unused_name(act, &relation.name, &second, label)
}
