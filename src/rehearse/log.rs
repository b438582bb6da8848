//! The copy's log, in Postgres's CSV form
//! (<https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG>).

/// One entry: a statement, or something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub user: String,
    pub database: String,
    pub session: String,
    /// The virtual transaction: statements with the same one share a transaction.
    pub transaction: String,
    pub state: String,
    /// What is said.
    pub what: What,
    /// What the session calls itself.
    pub application: String,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A session has logged in.
    Connected,
    /// A statement was begun; with the values of its parameters, as the server writes them.
    Statement {
        sql: String,
        /// `$1 = 'x', $2 = NULL`
        parameters: String,
    },
    /// The last statement did nothing: what it would make is there (`IF NOT EXISTS`).
    Skipped,
    /// The server refused something, at the end of the transaction or of the session.
    Refused {
        /// What it said.
        message: String,
        /// The statement, where there was one.
        sql: String,
    },
}

/// The entries of a log, in order.
#[must_use]
pub fn entries(log: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(log);
    records(&text)
        .iter()
        .filter_map(|fields| entry(fields))
        .collect()
}

/// The columns that are read, by their place.
const USER: usize = 1;
const DATABASE: usize = 2;
const SESSION: usize = 5;
const TRANSACTION: usize = 9;
const SEVERITY: usize = 11;
const STATE: usize = 12;
const MESSAGE: usize = 13;
const DETAIL: usize = 14;
const QUERY: usize = 19;
const APPLICATION: usize = 22;

fn entry(fields: &[String]) -> Option<Entry> {
    let field = |at: usize| fields.get(at).cloned().unwrap_or_default();
    let message = field(MESSAGE);
    let what = match field(SEVERITY).as_str() {
        "ERROR" | "FATAL" | "PANIC" => What::Refused {
            message,
            sql: field(QUERY),
        },
        "NOTICE" if message.ends_with(" already exists, skipping") => What::Skipped,
        "LOG" if message.starts_with("connection authorized") => What::Connected,
        "LOG" => What::Statement {
            sql: statement_in(&message)?,
            parameters: parameters_in(&field(DETAIL)),
        },
        _ => return None,
    };
    Some(Entry {
        user: field(USER),
        database: field(DATABASE),
        session: field(SESSION),
        transaction: field(TRANSACTION),
        state: field(STATE),
        what,
        application: field(APPLICATION),
    })
}

/// `statement: …`, `execute NAME: …`; a fetch from a portal is the same statement again.
fn statement_in(message: &str) -> Option<String> {
    if let Some(sql) = message.strip_prefix("statement: ") {
        return Some(sql.to_owned());
    }
    let (name, sql) = message.strip_prefix("execute ")?.split_once(": ")?;
    (!name.starts_with("fetch from ")).then(|| sql.to_owned())
}

fn parameters_in(detail: &str) -> String {
    // 16 writes it with a capital.
    let rest = detail
        .strip_prefix("parameters: ")
        .or_else(|| detail.strip_prefix("Parameters: "));
    rest.unwrap_or_default().to_owned()
}

/// Fields in quotes, where a quote is doubled.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let last = fields.last_mut().map_or_else(String::new, std::mem::take);
        let mut field = last;
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                put(&mut fields, field);
                fields.push(String::new());
                continue;
            }
            '\n' if !is_quoted => {
                put(&mut fields, field);
                records.push(std::mem::replace(&mut fields, vec![String::new()]));
                continue;
            }
            _ => field.push(character),
        }
        put(&mut fields, field);
    }
    records
}

fn put(fields: &mut [String], field: String) {
    if let Some(last) = fields.last_mut() {
        *last = field;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_newlines_and_commas_are_part_of_a_field() {
        assert_eq!(
            records("a,\"b\"\"c,\nd\",\"\"\n1,2,3\nhalf"),
            [vec!["a", "b\"c,\nd", ""], vec!["1", "2", "3"]]
        );
    }

    #[test]
    fn statements_of_both_protocols_are_read() {
        assert_eq!(statement_in("statement: SELECT 1"), Some("SELECT 1".into()));
        assert_eq!(
            statement_in("execute <unnamed>: SELECT $1"),
            Some("SELECT $1".into())
        );
        assert_eq!(statement_in("execute a: b: c"), Some("b: c".into()));
        assert_eq!(statement_in("execute fetch from a: x"), None);
        assert_eq!(statement_in("checkpoint starting"), None);
    }
}
