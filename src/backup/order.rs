//! The order in which a dump copies its tables.

use super::seen::TableSeen;
use std::cmp::Ordering;

/// Serial: by schema, then name, in byte order (`DOTypeNameCompare`, pg_dump_sort.c).
pub(super) fn serial(a: &TableSeen, b: &TableSeen) -> Ordering {
    (&a.name.schema, &a.name.relation).cmp(&(&b.name.schema, &b.name.relation))
}

/// Parallel: the largest first, by `relpages` and, from 15 on, those of its TOAST table
/// (`te->dataLength`, pg_dump.c dumpTableData).
pub(super) fn parallel(a: &TableSeen, b: &TableSeen) -> Ordering {
    b.pages.total_cmp(&a.pages).then_with(|| serial(a, b))
}
