//! Values of parameters, as the server writes them into its log: `$1 = 'it''s', $2 = NULL`.

use pg_query::protobuf::Token;

/// The text with the values in the place of the parameters; as it was where they cannot be read.
#[must_use]
pub fn filled(sql: &str, parameters: &str) -> String {
    let values = values(parameters);
    if values.is_empty() {
        return sql.to_owned();
    }
    let Ok(scanned) = pg_query::scan(sql) else {
        return sql.to_owned();
    };
    let mut out = String::new();
    let mut from = 0;
    for token in &scanned.tokens {
        let (Ok(start), Ok(end)) = (usize::try_from(token.start), usize::try_from(token.end))
        else {
            continue;
        };
        let value = (token.token == Token::Param as i32)
            .then(|| sql.get(start + 1..end)?.parse::<usize>().ok())
            .flatten()
            .and_then(|number| values.get(number.checked_sub(1)?));
        if let (Some(value), Some(between)) = (value, sql.get(from..start)) {
            out.push_str(between);
            out.push_str(value);
            from = end;
        }
    }
    out.push_str(sql.get(from..).unwrap_or_default());
    out
}

/// Each value as a literal.
fn values(parameters: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = parameters;
    while let Some(at) = rest.find(" = ") {
        rest = &rest[at + 3..];
        let length = match rest.strip_prefix('\'') {
            Some(quoted) => 1 + closing(quoted),
            None => rest.find(", ").unwrap_or(rest.len()),
        };
        values.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    values
}

/// The length of a text up to its closing quote, which is not doubled, with it.
fn closing(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find('\'') {
        let at = from + at;
        if text[at + 1..].starts_with('\'') {
            from = at + 2;
        } else {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_the_place_of_parameters() {
        for (sql, parameters, expected) in [
            (
                "INSERT INTO a VALUES ($1, $2, '$1')",
                "$1 = 'it''s, $2 = x', $2 = NULL",
                "INSERT INTO a VALUES ('it''s, $2 = x', NULL, '$1')",
            ),
            ("SELECT $2, $1", "$1 = '', $2 = 'é'", "SELECT 'é', ''"),
            ("SELECT $1", "", "SELECT $1"),
            ("SELECT $3", "$1 = '1'", "SELECT $3"),
            ("SELECT $1", "$1 = 'cut", "SELECT 'cut"),
        ] {
            assert_eq!(filled(sql, parameters), expected);
        }
    }
}
