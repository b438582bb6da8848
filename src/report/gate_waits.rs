//! Many waits as few: those for one mode behind the same blockers, and among these the sessions like each other.

use super::gate_view::{RULES, Rule};
use crate::model::{RelationName, Role, StatementVerdict, Wait, WaitKind};
use crate::sessions::alike;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Waits for the same mode and the same blockers, perhaps on several relations.
pub(super) struct Group<'a> {
    pub waits: Vec<&'a Wait>,
    pub relations: Vec<&'a RelationName>,
}

/// Waits for sessions like each other, the first of which is the oldest.
pub(super) fn crowds<'a>(waits: &[&'a Wait]) -> Vec<Vec<&'a Wait>> {
    let key = |wait: &Wait| {
        let who = &wait.blocker;
        let named = (who.application_name.clone(), who.user.clone());
        let alone = who.pid.is_none() || matches!(who.role, Role::Backup | Role::Migration);
        let own = alone.then(|| (who.pid, who.gid.clone()));
        Some((label(wait), who.role, named, who.mode, who.granted, own))
    };
    alike::crowds(waits.iter().copied(), |wait| key(wait))
}

pub(super) fn groups(verdict: &StatementVerdict) -> Vec<Group<'_>> {
    let is_behind_others = |wait: &&Wait| wait.counts && wait.kind != WaitKind::Hold;
    let counting = verdict.waits.iter().filter(is_behind_others);
    let mut by_relation = gathered(
        counting.map(|wait| Group {
            waits: vec![wait],
            relations: wait.name.iter().collect(),
        }),
        |group| {
            let wait = group.waits[0];
            (
                wait.oid,
                &wait.name,
                &wait.object,
                wait.mode,
                rule(wait.kind).id,
            )
        },
        |group, other| group.waits.extend(other.waits),
    );
    for group in &mut by_relation {
        // Holders first, the oldest of them first.
        group.waits.sort_by_key(|wait| {
            let who = &wait.blocker;
            (!who.granted, who.since.is_none(), who.since, who.pid)
        });
    }
    gathered(
        by_relation.into_iter(),
        |group| -> Vec<_> {
            let waits = group.waits.iter();
            waits
                .map(|w| (w.blocker.pid, &w.blocker.gid, w.kind, w.mode, &w.object))
                .collect()
        },
        |group, other| group.relations.extend(other.relations),
    )
}

/// Groups of the same key made one, in the order of their first ones.
fn gathered<'a, K: std::hash::Hash + Eq>(
    groups: impl Iterator<Item = Group<'a>>,
    key: impl Fn(&Group<'a>) -> K,
    join: impl Fn(&mut Group<'a>, Group<'a>),
) -> Vec<Group<'a>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut gathered: Vec<Group<'a>> = Vec::new();
    for group in groups {
        match places.entry(key(&group)) {
            Entry::Occupied(place) => join(&mut gathered[*place.get()], group),
            Entry::Vacant(place) => {
                place.insert(gathered.len());
                gathered.push(group);
            }
        }
    }
    gathered
}

pub(super) const fn rule(kind: WaitKind) -> Rule {
    match kind {
        WaitKind::Lock | WaitKind::Queue | WaitKind::SelfClearing => RULES[0],
        WaitKind::Lockers => RULES[1],
        WaitKind::Snapshot | WaitKind::SafeSnapshot | WaitKind::Transactions => RULES[2],
        WaitKind::HoldsUp => RULES[3],
        WaitKind::Hold => RULES[6],
    }
}

pub(super) const fn label(wait: &Wait) -> &'static str {
    match wait.kind {
        WaitKind::Lock => "held by",
        WaitKind::Queue => "behind",
        WaitKind::Lockers
        | WaitKind::Snapshot
        | WaitKind::SafeSnapshot
        | WaitKind::Transactions => "waits for",
        WaitKind::SelfClearing => "a moment",
        WaitKind::HoldsUp | WaitKind::Hold => "holds up",
    }
}
