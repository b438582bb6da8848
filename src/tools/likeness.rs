//! How much a folder looks like a tool's.

use super::comment::has_comment;
use super::layout::Layout;
use super::name::{self, Named};
use Likeness::{Marked, Named as ByName, None as No, Possible};

/// How much a layout looks like a tool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Not.
    None,
    /// It could be, but nothing says so.
    Possible,
    /// By the names of its files or of a library in the project.
    Named,
    /// By a mark that no other tool has.
    Marked,
}

/// A mark that no other tool has, or nothing.
pub fn marked_if(is_marked: bool) -> Likeness {
    if is_marked { Marked } else { No }
}

/// Whether a file has such a name.
pub fn any(layout: &Layout, named: fn(&str) -> Option<Named>) -> bool {
    layout.files.iter().any(|file| named(&file.name).is_some())
}

/// Whether a file has a comment that begins so.
pub fn says(layout: &Layout, mark: &str) -> bool {
    layout
        .files
        .iter()
        .any(|file| has_comment(&file.text, mark))
}

/// Whether files have the marks of a tool that Atlas can read the folders of, too.
fn is_marked(layout: &Layout) -> bool {
    ["migrate:up", "+goose up"]
        .iter()
        .any(|mark| says(layout, mark))
}

/// Tern's mark between the parts of a file.
pub const TERN_DOWN: &str = "create above / drop below";

/// golang-migrate.
pub fn golang_migrate(layout: &Layout) -> Likeness {
    match (
        any(layout, name::golang_migrate),
        layout.project_uses("sqlx"),
    ) {
        (true, _) if says(layout, "no-transaction") => Possible,
        (true, false) => ByName,
        (true, true) => Possible,
        _ => No,
    }
}

/// Flyway.
pub fn flyway(layout: &Layout) -> Likeness {
    match (
        any(layout, name::flyway),
        any(layout, name::refinery) && layout.project_uses("refinery"),
    ) {
        (true, false) => ByName,
        (true, true) => Possible,
        _ => No,
    }
}

/// sqlx.
pub fn sqlx(layout: &Layout) -> Likeness {
    match (
        any(layout, name::sqlx),
        layout.project_uses("sqlx"),
        says(layout, "no-transaction"),
    ) {
        (true, true, _) if any(layout, name::golang_migrate) => ByName,
        (true, _, true) => ByName,
        (true, _, _) => Possible,
        _ => No,
    }
}

/// refinery.
pub fn refinery(layout: &Layout) -> Likeness {
    match (any(layout, name::refinery), layout.project_uses("refinery")) {
        (true, true) => ByName,
        (true, false) => Possible,
        _ => No,
    }
}

/// Atlas.
pub fn atlas(layout: &Layout) -> Likeness {
    if layout.has("atlas.sum") && !is_marked(layout) {
        ByName
    } else {
        No
    }
}

/// tern.
pub fn tern(layout: &Layout) -> Likeness {
    match (
        says(layout, TERN_DOWN) || layout.has("tern.conf"),
        any(layout, name::tern),
    ) {
        (true, true) => Marked,
        (_, true) => Possible,
        _ => {
            if says(layout, TERN_DOWN) {
                Marked
            } else {
                No
            }
        }
    }
}

/// node-pg-migrate.
pub fn node_pg_migrate(layout: &Layout) -> Likeness {
    match (
        says(layout, "up migration"),
        any(layout, name::node_pg_migrate),
    ) {
        (true, _) => Marked,
        (false, true) if layout.project_uses("node-pg-migrate") => ByName,
        _ => No,
    }
}

/// Sqitch.
pub fn sqitch(layout: &Layout) -> Likeness {
    let in_deploy = layout.root.ends_with("deploy") && layout.has("../sqitch.plan");
    if layout.has("sqitch.plan") || in_deploy {
        Marked
    } else {
        No
    }
}

/// Supabase.
pub fn supabase(layout: &Layout) -> Likeness {
    match (
        any(layout, name::supabase),
        std::path::absolute(&layout.root).is_ok_and(|root| root.ends_with("supabase/migrations")),
    ) {
        (true, true) => Marked,
        (true, false) if layout.has("../config.toml") => Possible,
        _ => No,
    }
}

/// bun.
pub fn bun(layout: &Layout) -> Likeness {
    let in_transactions = layout
        .files
        .iter()
        .any(|file| file.name.ends_with(".tx.up.sql"));
    match any(layout, name::bun) {
        true if in_transactions || says(layout, "bun:split") => Marked,
        true if layout.project_uses("uptrace/bun") => Possible,
        _ => No,
    }
}
