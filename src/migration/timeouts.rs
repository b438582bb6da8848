//! `lock_timeout` and `statement_timeout`, as far as a migration sets them itself: SET, SET LOCAL, RESET,
//! DISCARD ALL and `set_config`, undone by ROLLBACK as Postgres undoes them (guc.c, `AtEOXact_GUC`).

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, DiscardMode, FuncCall, Node, SelectStmt, VariableSetKind, VariableSetStmt, a_const::Val,
};

/// The settings that are followed, by their place in [`Values`].
const NAMES: [&str; 2] = ["lock_timeout", "statement_timeout"];

/// Milliseconds, 0: none; `None`: whatever the session started with.
type Values = [Option<i64>; 2];

/// The settings of a session and what its transactions would restore.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeouts {
    now: Layer,
    /// At BEGIN (no name) and at each SAVEPOINT.
    saved: Vec<(Option<String>, Layer)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Layer {
    session: Values,
    /// Set by SET LOCAL: in force to the end of the transaction.
    local: [Option<Option<i64>>; 2],
}

impl Timeouts {
    /// What is in force: (`lock_timeout`, `statement_timeout`).
    pub(super) fn in_force(&self) -> (Option<i64>, Option<i64>) {
        let value = |at: usize| self.now.local[at].unwrap_or(self.now.session[at]);
        (value(0), value(1))
    }

    pub(super) fn begin(&mut self) {
        self.saved = vec![(None, self.now)];
    }

    pub(super) fn commit(&mut self) {
        self.saved.clear();
        self.now.local = Default::default();
    }

    pub(super) fn rollback(&mut self) {
        if let Some((_, before)) = self.saved.drain(..).next() {
            self.now = before;
        }
    }

    pub(super) fn savepoint(&mut self, name: &str) {
        self.saved.push((Some(name.to_owned()), self.now));
    }

    pub(super) fn release(&mut self, name: &str) {
        if let Some(at) = self.named(name) {
            self.saved.truncate(at);
        }
    }

    /// The savepoint stays; the later ones go.
    pub(super) fn rollback_to(&mut self, name: &str) {
        if let Some(at) = self.named(name) {
            self.now = self.saved[at].1;
            self.saved.truncate(at + 1);
        }
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.saved
            .iter()
            .rposition(|(saved, _)| saved.as_deref() == Some(name))
    }

    /// What a statement changes; `in_block`: SET LOCAL has an effect only there.
    pub(super) fn apply(&mut self, statement: &NodeEnum, in_block: bool) {
        match statement {
            NodeEnum::VariableSetStmt(set) => self.set(set, in_block),
            NodeEnum::DiscardStmt(discard) if discard.target == DiscardMode::DiscardAll as i32 => {
                self.reset_all()
            }
            NodeEnum::SelectStmt(select) => {
                for call in calls(select) {
                    self.set_config(call, in_block);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, set: &VariableSetStmt, in_block: bool) {
        if set.kind == VariableSetKind::VarResetAll as i32 {
            return self.reset_all();
        }
        let Some(at) = setting(&set.name) else { return };
        let is_reset = set.kind == VariableSetKind::VarSetDefault as i32
            || set.kind == VariableSetKind::VarReset as i32;
        if is_reset {
            self.assign(at, None, set.is_local, in_block);
        } else if let [argument] = set.args.as_slice() {
            // A value that Postgres refuses changes nothing.
            if let Some(value) = constant(argument).and_then(|value| milliseconds(&value)) {
                self.assign(at, Some(value), set.is_local, in_block);
            }
        }
    }

    fn set_config(&mut self, call: &FuncCall, in_block: bool) {
        let is_it = call
            .funcname
            .last()
            .and_then(string)
            .is_some_and(|name| name == "set_config");
        let [name, value, is_local] = call.args.as_slice() else {
            return;
        };
        let Some(at) = constant(name)
            .and_then(|name| setting(&name))
            .filter(|_| is_it)
        else {
            return;
        };
        let is_local = constant(is_local)
            .is_some_and(|word| matches!(word.as_str(), "true" | "t" | "on" | "yes" | "1"));
        // A value that is computed is unknown, like one that was never set.
        self.assign(
            at,
            constant(value).and_then(|value| milliseconds(&value)),
            is_local,
            in_block,
        );
    }

    fn assign(&mut self, at: usize, value: Option<i64>, is_local: bool, in_block: bool) {
        match (is_local, in_block) {
            (false, _) => {
                self.now.session[at] = value;
                self.now.local[at] = None;
            }
            (true, true) => self.now.local[at] = Some(value),
            (true, false) => {}
        }
    }

    /// What stands at its default is passed over (`ResetAllOptions`, guc.c), and so what SET LOCAL … TO DEFAULT
    /// hides comes back when the transaction ends.
    fn reset_all(&mut self) {
        for at in 0..NAMES.len() {
            if self.now.local[at] != Some(None) {
                self.assign(at, None, false, true);
            }
        }
    }
}

fn setting(name: &str) -> Option<usize> {
    NAMES
        .iter()
        .position(|known| name.eq_ignore_ascii_case(known))
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
