//! The header that a body gets to be parsed: the parser wants a whole CREATE FUNCTION.

use serde_json::Value;

/// What a body may return decides which RETURN it may have, and nothing that is asked here.
pub const RETURNS: [&str; 4] = ["void", "text", "record", "SETOF record"];

/// Variables that a trigger's body has without declaring them (plpgsql, Trigger Functions).
const TRIGGER: &str = "new record; old record; tg_name text; tg_when text; tg_level text; tg_op text; tg_relid oid; \
                       tg_relname text; tg_table_name text; tg_table_schema text; tg_nargs int; tg_argv text[]; tg_event text; tg_tag text;";

/// The body in a header of our own, since the parser knows no types but its own, and no trigger's variables.
pub fn tree_of(body: &str, names: &[&str], returns: &str) -> Option<Value> {
    let parameters: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            if name.is_empty() {
                format!("_{at} text")
            } else {
                format!("\"{}\" text", name.replace('"', "\"\""))
            }
        })
        .collect();
    let body = with_records(body.trim().trim_end_matches(';'));
    let sql = format!(
        "CREATE FUNCTION f({}) RETURNS {returns} LANGUAGE plpgsql AS $pgguard_body$ DECLARE {TRIGGER} BEGIN {body}; END $pgguard_body$",
        parameters.join(", ")
    );
    std::panic::catch_unwind(|| pg_query::parse_plpgsql(&sql))
        .ok()?
        .ok()
}

/// `orders%ROWTYPE` is a record to the parser, which does not know the columns of tables.
fn with_records(body: &str) -> String {
    const ROW: &str = "%rowtype";
    let mut found = String::new();
    let mut rest = body;
    while let Some(at) = rest.to_ascii_lowercase().find(ROW) {
        let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '$');
        found.push_str(rest[..at].trim_end_matches(is_in_name));
        found.push_str("record");
        rest = &rest[at + ROW.len()..];
    }
    found + rest
}
