//! The settings of the session that runs a migration: one machine for SET, SET LOCAL, RESET, RESET ALL, DISCARD ALL,
//! `set_config`, savepoints, COMMIT and ROLLBACK, as Postgres follows them (guc.c, `AtEOXact_GUC`).
//!
//! It follows every setting by its name; what a value means is for those who ask. A setting that it does not have
//! is as the session began: as the server, the database, the role and the connection's options set it, where that
//! is known.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, DiscardMode, FuncCall, Node, SelectStmt, TransactionStmtKind as Kind, VariableSetKind,
    VariableSetStmt, a_const::Val,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value that the migration gave a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As SHOW would say it.
    Is(String),
    /// It is computed: only the server knows it.
    Unknown,
}

/// The settings of a session and what its transactions would restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    now: Layer,
    /// What each session begins with, as far as it is known.
    began: Arc<BTreeMap<String, String>>,
    /// At BEGIN (no name) and at each SAVEPOINT.
    saved: Vec<(Option<String>, Layer)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Layer {
    session: BTreeMap<String, Value>,
    /// Set by SET LOCAL: in force to the end of the transaction. `None`: as the session began.
    local: BTreeMap<String, Option<Value>>,
}

/// What happens to a session between and by its statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Another session begins.
    Session,
    /// A transaction block begins: the runner's, the message's, or by BEGIN.
    Begin,
    /// It commits.
    Commit,
    /// It rolls back.
    Rollback,
    /// It ends, and another one with the same characteristics begins (AND CHAIN).
    Chain {
        /// By COMMIT.
        commits: bool,
    },
    /// SAVEPOINT
    Savepoint(String),
    /// RELEASE
    Release(String),
    /// ROLLBACK TO
    RollbackTo(String),
    /// The tool puts these back to what the session began with.
    PutBack(&'static [&'static str]),
}

/// Whether a backslash in a plain string is only a backslash. Since version 19 it always is (commit 45762084).
pub const STANDARD_STRINGS: &str = "standard_conforming_strings";

/// Settings that RESET ALL leaves alone (`GUC_NO_RESET_ALL`, guc_tables.c).
const NOT_RESET: &[&str] = &[
    "role",
    "session_authorization",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_deferrable",
];

/// The characteristics of a transaction: the setting, and the one that it begins with.
const CHARACTERISTICS: [(&str, &str); 3] = [
    ("transaction_isolation", "default_transaction_isolation"),
    ("transaction_read_only", "default_transaction_read_only"),
    ("transaction_deferrable", "default_transaction_deferrable"),
];

/// Settings that decide what a statement locks, or how it is read: a value that nobody knows is a doubt.
const DECIDING: &[&str] = &[
    "search_path",
    "role",
    "session_authorization",
    "session_replication_role",
    STANDARD_STRINGS,
    "check_function_bodies",
    "enable_partition_pruning",
    "lock_timeout",
    "statement_timeout",
];

impl Settings {
    /// A session that has some settings already.
    #[must_use]
    pub fn starting_with(settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut began = Self::default();
        let values = settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::Is(value)));
        began.now.session.extend(values);
        began
    }

    /// The same machine, and what each of its sessions begins with.
    #[must_use]
    pub fn beginning_with(mut self, began: BTreeMap<String, String>) -> Self {
        self.began = Arc::new(began);
        self
    }

    /// What the migration set; `None`: what the session began with.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self.now.local.get(name) {
            Some(local) => local.as_ref(),
            None => self.now.session.get(name),
        }
    }

    /// What is in force: what the migration set, else what the session began with; `None`: it is unknown.
    #[must_use]
    pub fn in_force(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Is(text)) => Some(text),
            Some(Value::Unknown) => None,
            None => self.began.get(name).map(String::as_str),
        }
    }

    /// Whether the server may take a backslash in a plain string ('…', no E'…') as an escape. Where nothing is known
    /// of the setting it is on, its default.
    #[must_use]
    pub fn may_escape_plain_strings(&self) -> bool {
        let is_known =
            self.get(STANDARD_STRINGS).is_some() || self.began.contains_key(STANDARD_STRINGS);
        is_known && self.in_force(STANDARD_STRINGS).and_then(truth) != Some(true)
    }

    /// The same as a text; `None` also where it is not known.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Is(text) => Some(text),
            Value::Unknown => None,
        }
    }

    /// A time in milliseconds.
    #[must_use]
    pub fn milliseconds(&self, name: &str) -> Option<i64> {
        milliseconds(self.text(name)?)
    }

    /// Whether it was set to true, or to false.
    #[must_use]
    pub fn truth(&self, name: &str) -> Option<bool> {
        truth(self.text(name)?)
    }

    /// The role that the session acts in: SET ROLE, else SET SESSION AUTHORIZATION; `None`: the one it began with.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        let said = |name: &str| {
            self.text(name)
                .filter(|role| !matches!(*role, "none" | "default"))
        };
        said("role").or_else(|| said("session_authorization"))
    }

    /// Whether the transaction is SERIALIZABLE, READ ONLY and DEFERRABLE; outside a block, whether the next one is.
    #[must_use]
    pub fn waits_for_safe_snapshot(&self, in_block: bool) -> bool {
        let [isolation, read_only, deferrable] = CHARACTERISTICS
            .map(|(own, default)| self.in_force(if in_block { own } else { default }));
        isolation == Some("serializable")
            && read_only.and_then(truth) == Some(true)
            && deferrable.and_then(truth) == Some(true)
    }

    /// Whether the transaction is READ ONLY; outside a block, whether the next one is.
    #[must_use]
    pub fn is_read_only(&self, in_block: bool) -> bool {
        let (own, default) = CHARACTERISTICS[1];
        let said = self.in_force(if in_block { own } else { default });
        said.and_then(truth) == Some(true)
    }

    /// Plays what happens to the session.
    pub fn play(&mut self, happens: &Move) {
        match happens {
            Move::Session => {
                let began = std::mem::take(&mut self.began);
                *self = Self {
                    began,
                    ..Self::default()
                };
            }
            Move::Begin => self.begin(),
            Move::Commit => {
                self.saved.clear();
                self.now.local.clear();
            }
            Move::Rollback => {
                if let Some((_, before)) = self.saved.drain(..).next() {
                    self.now = before;
                }
            }
            Move::Chain { commits } => {
                let characteristics = self.characteristics();
                self.play(if *commits {
                    &Move::Commit
                } else {
                    &Move::Rollback
                });
                self.begin();
                self.now.local.extend(characteristics);
            }
            Move::Savepoint(name) => self.saved.push((Some(name.clone()), self.now.clone())),
            Move::Release(name) => {
                if let Some(at) = self.named(name) {
                    self.saved.truncate(at);
                }
            }
            // The savepoint stays; the later ones go.
            Move::RollbackTo(name) => {
                if let Some(at) = self.named(name) {
                    self.now = self.saved[at].1.clone();
                    self.saved.truncate(at + 1);
                }
            }
            Move::PutBack(names) => {
                for name in *names {
                    self.now.session.remove(*name);
                    self.now.local.remove(*name);
                }
            }
        }
    }

    fn begin(&mut self) {
        self.saved = vec![(None, self.now.clone())];
        for (own, default) in CHARACTERISTICS {
            let began = || self.began.get(default).cloned().map(Value::Is);
            let value = self.get(default).cloned().or_else(began);
            self.now.local.insert(own.to_owned(), value);
        }
    }

    fn characteristics(&self) -> Vec<(String, Option<Value>)> {
        CHARACTERISTICS
            .iter()
            .map(|(own, _)| ((*own).to_owned(), self.get(own).cloned()))
            .collect()
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.saved
            .iter()
            .rposition(|(saved, _)| saved.as_deref() == Some(name))
    }

    /// What a statement changes; `in_block`: SET LOCAL has an effect only there.
    pub fn apply(&mut self, statement: &NodeEnum, in_block: bool) {
        match statement {
            NodeEnum::VariableSetStmt(set) => self.set(set, in_block),
            NodeEnum::DiscardStmt(discard) if discard.target == DiscardMode::DiscardAll as i32 => {
                self.assign("session_authorization", None, false, in_block);
                self.reset_all();
            }
            NodeEnum::TransactionStmt(control)
                if [Kind::TransStmtBegin as i32, Kind::TransStmtStart as i32]
                    .contains(&control.kind) =>
            {
                self.set_options(&control.options, "", true);
            }
            _ => {}
        }
    }

    /// The calls of `set_config` that are columns of a SELECT without a table.
    pub fn apply_calls(&mut self, statement: &NodeEnum, in_block: bool) {
        if let NodeEnum::SelectStmt(select) = statement {
            for call in calls(select).filter(|call| is_set_config(call)) {
                let [name, value, is_local] = call.args.as_slice() else {
                    continue;
                };
                if let Some(name) = constant(name) {
                    let is_local = constant(is_local).as_deref().and_then(truth) == Some(true);
                    self.set_config(&name, constant(value), is_local, in_block);
                }
            }
        }
    }

    /// `set_config(name, value, is_local)`; a value of `None` is computed. Says whether that is a doubt.
    pub fn set_config(
        &mut self,
        name: &str,
        value: Option<String>,
        is_local: bool,
        in_block: bool,
    ) -> bool {
        let name = name.to_ascii_lowercase();
        let is_doubt = value.is_none() && DECIDING.contains(&name.as_str());
        let value = value.map_or(Value::Unknown, Value::Is);
        if is_accepted(&name, &value) {
            self.assign(&name, Some(value), is_local, in_block);
        }
        is_doubt
    }

    fn set(&mut self, set: &VariableSetStmt, in_block: bool) {
        let name = set.name.to_ascii_lowercase();
        match VariableSetKind::try_from(set.kind) {
            Ok(VariableSetKind::VarResetAll) => self.reset_all(),
            Ok(VariableSetKind::VarSetMulti) => match set.name.as_str() {
                "TRANSACTION" => self.set_options(&set.args, "", true),
                "SESSION CHARACTERISTICS" => self.set_options(&set.args, "default_", false),
                _ => {}
            },
            Ok(VariableSetKind::VarSetDefault | VariableSetKind::VarReset) => {
                self.assign(&name, None, set.is_local, in_block);
            }
            Ok(VariableSetKind::VarSetValue) => {
                let value = list(&name, &set.args).map_or(Value::Unknown, Value::Is);
                if is_accepted(&name, &value) {
                    self.assign(&name, Some(value), set.is_local, in_block);
                }
            }
            _ => {}
        }
    }

    /// `ISOLATION LEVEL …, READ ONLY, DEFERRABLE`, for this transaction or for those to come.
    fn set_options(&mut self, options: &[Node], prefix: &str, is_local: bool) {
        for option in options {
            if let Some(NodeEnum::DefElem(option)) = &option.node
                && let Some(value) = option.arg.as_ref().and_then(|arg| constant(arg))
            {
                let name = format!("{prefix}{}", option.defname);
                self.assign(&name, Some(Value::Is(value)), is_local, true);
            }
        }
    }

    fn assign(&mut self, name: &str, value: Option<Value>, is_local: bool, in_block: bool) {
        // SET TRANSACTION by another name.
        let is_local = is_local || CHARACTERISTICS.iter().any(|(own, _)| *own == name);
        // Another user comes with a role of its own (`assign_session_authorization`).
        if name == "session_authorization" {
            self.assign("role", None, is_local, in_block);
        }
        match (is_local, in_block) {
            (false, _) => {
                self.now.local.remove(name);
                match value {
                    Some(value) => self.now.session.insert(name.to_owned(), value),
                    None => self.now.session.remove(name),
                };
            }
            (true, true) => {
                self.now.local.insert(name.to_owned(), value);
            }
            (true, false) => {}
        }
    }

    /// What stands at its default is passed over (`ResetAllOptions`, guc.c), and so what SET LOCAL … TO DEFAULT
    /// hides comes back when the transaction ends.
    fn reset_all(&mut self) {
        let names = self.now.session.keys().chain(self.now.local.keys());
        let names: Vec<String> = names
            .filter(|name| !NOT_RESET.contains(&name.as_str()))
            .filter(|name| self.now.local.get(*name) != Some(&None))
            .cloned()
            .collect();
        for name in names {
            self.assign(&name, None, false, true);
        }
    }
}

/// A value that Postgres refuses changes nothing.
fn is_accepted(name: &str, value: &Value) -> bool {
    match value {
        Value::Is(text) => !name.ends_with("_timeout") || milliseconds(text).is_some(),
        Value::Unknown => true,
    }
}

/// The values of SET as one text (`flatten_set_variable_args`, guc_funcs.c): names of a path are quoted, so that
/// they are not folded a second time.
fn list(name: &str, arguments: &[Node]) -> Option<String> {
    let is_path = name == "search_path";
    let texts: Option<Vec<String>> = arguments
        .iter()
        .map(|argument| constant(argument).map(|text| if is_path { quoted(&text) } else { text }))
        .collect();
    texts.map(|texts| texts.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The names in a list of identifiers, as `SplitIdentifierString` (varlena.c) reads them: what has no quotes is
/// folded to lower case.
#[must_use]
pub fn identifiers(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = list.trim_start();
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let mut end = 0;
                while let Some(quote) = inner[end..].find('"') {
                    end += quote;
                    if !inner[end + 1..].starts_with('"') {
                        break;
                    }
                    end += 2;
                }
                (
                    inner[..end].replace("\"\"", "\""),
                    inner.get(end + 1..).unwrap_or(""),
                )
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim_end().to_lowercase(), &rest[end..])
            }
        };
        found.push(name);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    found.retain(|name| !name.is_empty());
    found
}

/// A word as Postgres reads a truth value (`parse_bool`, bool.c).
#[must_use]
pub fn truth(word: &str) -> Option<bool> {
    let word = word.trim().to_ascii_lowercase();
    let begins = |whole: &str, shortest: usize| word.len() >= shortest && whole.starts_with(&word);
    match word.as_str() {
        "1" | "on" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

fn is_set_config(call: &FuncCall) -> bool {
    call.funcname
        .last()
        .and_then(string)
        .is_some_and(|name| name == "set_config")
}

/// The function calls that are columns of a SELECT.
fn calls(select: &SelectStmt) -> impl Iterator<Item = &FuncCall> {
    select
        .target_list
        .iter()
        .filter_map(|target| match target.node.as_ref()? {
            NodeEnum::ResTarget(target) => match target.val.as_ref()?.node.as_ref()? {
                NodeEnum::FuncCall(call) => Some(&**call),
                _ => None,
            },
            _ => None,
        })
}

fn string(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(text) => Some(&text.sval),
        _ => None,
    }
}

/// A constant as text, through a cast such as `'5s'::text`.
fn constant(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        NodeEnum::AConst(AConst {
            val: Some(value), ..
        }) => match value {
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Boolval(truth) => Some(truth.boolval.to_string()),
            Val::Bsval(_) => None,
        },
        _ => None,
    }
}

/// Units of time and their milliseconds (`time_unit_conversion_table`, guc.c); case matters.
const UNITS: [(&str, f64); 7] = [
    ("", 1.0),
    ("us", 0.001),
    ("ms", 1.0),
    ("s", 1e3),
    ("min", 60e3),
    ("h", 3600e3),
    ("d", 86_400e3),
];

/// A time as Postgres reads it for a setting in milliseconds (`parse_int`, guc.c): `5s`, `1.5 min`, `0x10`.
/// `None`: Postgres refuses it.
#[must_use]
pub fn milliseconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (number, length) = leading_number(text)?;
    let unit = text[length..].trim_start();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let value = (number * factor).round_ties_even();
    (value >= 0.0 && value <= f64::from(i32::MAX)).then_some(value as i64)
}

/// The number that a text begins with, and its length: decimal, hexadecimal (0x) or octal (0), or with a fraction.
fn leading_number(text: &str) -> Option<(f64, usize)> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let factor = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = &text[sign..];
    if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        let length = span(hex, |byte| byte.is_ascii_hexdigit());
        return Some((
            factor * i64::from_str_radix(&hex[..length], 16).ok()? as f64,
            sign + 2 + length,
        ));
    }
    let length = decimal_length(digits);
    let number = &digits[..length];
    // strtol reads an octal as far as its digits go; a fraction or exponent right behind makes it decimal.
    let octal = span(number, |byte| matches!(byte, b'0'..=b'7'));
    if number.starts_with('0') && !number[octal..].starts_with(['.', 'e', 'E']) {
        let value = i64::from_str_radix(&number[..octal], 8).ok()? as f64;
        return Some((factor * value, sign + octal));
    }
    let value: f64 = number.parse().ok()?;
    Some((factor * value, sign + length))
}

/// How much of a text is a decimal number, with fraction and exponent.
fn decimal_length(text: &str) -> usize {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let mut length = span(text, is_digit);
    if text[length..].starts_with('.') {
        length += 1 + span(&text[length + 1..], is_digit);
    }
    let exponent = &text[length..];
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent[1..].starts_with(['+', '-']));
        let digits = span(&exponent[1 + sign..], is_digit);
        if digits > 0 {
            length += 1 + sign + digits;
        }
    }
    length
}

fn span(text: &str, is_part: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_part(*byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_postgres_reads_them() {
        for (text, expected) in [
            ("5000", Some(5000)),
            ("5s", Some(5000)),
            (" 1 min ", Some(60_000)),
            ("1.5s", Some(1500)),
            ("500us", Some(0)),
            ("1500us", Some(2)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("1e3", Some(1000)),
            ("2d", Some(172_800_000)),
            (".5s", Some(500)),
            ("0", Some(0)),
            ("-1", None),
            ("5S", None),
            ("5 minutes", None),
            ("off", None),
            ("", None),
            (".", None),
            ("0x", None),
            ("30d", None),
            ("é", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
