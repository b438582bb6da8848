//! Which table a COPY statement of pg_dump names.

use crate::model::RelationName;

/// Reads `COPY schema.table (…` and `COPY schema.table TO …`, names in pg_dump's quoting; `None` for
/// anything else, `COPY (SELECT …)` among it.
#[must_use]
pub fn table_of(query: &str) -> Option<RelationName> {
    let rest = query.trim_start();
    let head = rest.get(..5)?;
    if !head.eq_ignore_ascii_case("copy ") {
        return None;
    }
    let (schema, rest) = identifier(rest[5..].trim_start())?;
    let (relation, _) = identifier(rest.strip_prefix('.')?)?;
    Some(RelationName::new(schema, relation))
}

/// One identifier and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_dump_copy_is_read_in_any_quoting() {
        let read = |query| table_of(query).map(|name| (name.schema, name.relation));
        let name = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(
            read("COPY public.users (id, email) TO stdout;"),
            name("public", "users")
        );
        assert_eq!(
            read("COPY \"My \"\"Shop\".\"Or.der\" (id) TO stdout;"),
            name("My \"Shop", "Or.der")
        );
        assert_eq!(read("COPY (SELECT 1) TO STDOUT"), None);
        assert_eq!(read("COPY t TO STDOUT"), None);
        assert_eq!(read("COPY \"cut off"), None);
        assert_eq!(read("copié"), None);
    }
}
