//! Indexes that go and come back, with ALTER COLUMN … TYPE.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::index::part;
use crate::model::{Constraint, Index, LockMode, Oid, RelationKind, RelationName};
use pg_query::protobuf::ConstrType;

use LockMode::Share;

/// An index that goes and comes back.
pub struct Remade {
    name: RelationName,
    method: Option<String>,
    index: Index,
    constraint: Option<Constraint>,
    is_part: bool,
}

impl Remade {
    /// Remembers an index before it goes.
    pub fn of(act: &Act, oid: Oid) -> Option<Self> {
        let index = act.world.indexes.get(oid)?.clone();
        let constraint = act
            .world
            .constraints
            .of(index.table)
            .find(|c| c.index == oid && c.kind != 'f')
            .cloned();
        Some(Self {
            name: act.world.relation(oid)?.name.clone(),
            method: act.world.relation(oid)?.access_method.clone(),
            constraint,
            is_part: !act.world.parents(oid).is_empty(),
            index,
        })
    }

    pub const fn table(&self) -> Oid {
        self.index.table
    }

    pub const fn oid(&self) -> Oid {
        self.index.oid
    }

    /// Whether its files serve on where the table's rows stay as they are (`CheckIndexCompatible`):
    /// no expressions, and the same operators on every column.
    pub fn is_reusable(&self, other_operators: &[i16]) -> bool {
        let keys = usize::try_from(self.index.key_columns).unwrap_or_default();
        !self.is_part
            && self.index.is_valid
            && self.index.expressions.is_none()
            && self.index.predicate.is_none()
            && !self
                .index
                .columns
                .iter()
                .take(keys)
                .any(|c| other_operators.contains(c))
    }

    /// Builds it again, with its parts if it is partitioned.
    pub fn put_back(self, act: &mut Act) {
        if self.is_part {
            return;
        }
        let table = self.index.table;
        act.lock(
            table,
            Share,
            format!("index {} is built again", self.name.relation),
        );
        let shape = part::Shape {
            method: self.method,
            keys: self.index.keys.clone(),
            columns: self.index.columns.clone(),
            key_columns: self.index.key_columns,
            expressions: self.index.expressions.clone(),
            predicate: self.index.predicate.clone(),
            is_unique: self.index.is_unique,
            is_primary: self.index.is_primary,
            is_exclusion: self.index.is_exclusion,
        };
        let recurses = act.kind(table) == RelationKind::PartitionedTable;
        let oid = part::put(act, table, &self.name.relation, &shape);
        if let Some(constraint) = &self.constraint {
            let kind = match constraint.kind {
                'p' => ConstrType::ConstrPrimary,
                'u' => ConstrType::ConstrUnique,
                _ => ConstrType::ConstrExclusion,
            };
            part::put_key(
                act,
                table,
                oid,
                &constraint.name,
                kind,
                &shape.columns,
                constraint.is_deferrable,
            );
        }
        if recurses {
            for partition in act.world.children(table) {
                act.lock(
                    partition,
                    Share,
                    format!("index {} is built again", self.name.relation),
                );
                part::clone_tree(act, oid, partition);
            }
        }
    }
}
