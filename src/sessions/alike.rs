//! Sessions like each other: a crowd of them is one line with a count.

use super::list::Sessions;
use crate::model::{Backend, Role};
use std::collections::HashMap;
use std::hash::Hash;

/// What sessions like each other have in common: role, program and user.
pub type Kind<'a> = (Role, &'a str, Option<&'a str>);

/// What a session has in common with those like it; `None`: each is worth a line of its own.
#[must_use]
pub fn kind<'a>(backend: &'a Backend, sessions: &Sessions) -> Option<Kind<'a>> {
    let role = sessions.of(backend.pid)?.role;
    let alone = matches!(role, Role::Backup | Role::Migration);
    let (program, user) = (
        backend.application_name.as_str(),
        backend.usename.as_deref(),
    );
    (!alone).then_some((role, program, user))
}

/// Crowds, in the order of their first ones: rows of the same key are one, a row without a key stands alone.
pub fn crowds<T, K: Eq + Hash>(
    rows: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> Option<K>,
) -> Vec<Vec<T>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut crowds: Vec<Vec<T>> = Vec::new();
    for row in rows {
        let new = crowds.len();
        let place = key(&row).map_or(new, |key| *places.entry(key).or_insert(new));
        match crowds.get_mut(place) {
            Some(crowd) => crowd.push(row),
            None => crowds.push(vec![row]),
        }
    }
    crowds
}

/// `, and 559 sessions like it`; nothing for one alone.
#[must_use]
pub fn and_like_it(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        n => format!(", and {} like it", crate::words::many(n - 1, "session")),
    }
}
