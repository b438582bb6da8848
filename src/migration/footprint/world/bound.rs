//! What a partition takes, as the catalog stores it (`relpartbound`).

use crate::model::Oid;

/// Where a range begins or ends in one column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// MINVALUE
    Least,
    /// A value, as its type counts it.
    At(i64),
    /// MAXVALUE
    Most,
}

/// What a partition takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// From one edge up to another, a value a column of the key.
    Range([Vec<Edge>; 2]),
    /// These values, as text.
    List(Vec<Option<String>>),
    /// A remainder of a modulus.
    Hash(i32, i32),
}

/// The types that can be compared, by their oids (pg_type.dat).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// `smallint`, `integer`, `bigint`
    Whole,
    /// Days
    Date,
    /// Microseconds
    Timestamp,
    /// `text`, `varchar`
    Text,
}

/// How values of a type are compared; `None`: they are not.
#[must_use]
pub const fn of_type(oid: Oid) -> Option<Of> {
    match oid {
        20 | 21 | 23 => Some(Of::Whole),
        1082 => Some(Of::Date),
        1114 => Some(Of::Timestamp),
        25 | 1043 => Some(Of::Text),
        _ => None,
    }
}

/// `{PARTITIONBOUNDSPEC :strategy r … :lowerdatums ({PARTITIONRANGEDATUM :kind 0 :value {CONST …}}) …}`
#[must_use]
pub fn stored(tree: &str, keys: &[Oid]) -> Option<Bound> {
    if field(tree, ":is_default") == Some("true") {
        return None;
    }
    match field(tree, ":strategy")? {
        "h" => Some(Bound::Hash(
            field(tree, ":modulus")?.parse().ok()?,
            field(tree, ":remainder")?.parse().ok()?,
        )),
        "l" => {
            let of = of_type(*keys.first()?)?;
            let list = between(tree, ":listdatums", ":lowerdatums")?;
            let values = list.split("{CONST").skip(1).map(|constant| {
                if field(constant, ":constisnull") == Some("true") {
                    return Some(None);
                }
                match of {
                    Of::Text => text(constant).map(Some),
                    _ => whole(constant).map(|n| Some(n.to_string())),
                }
            });
            values.collect::<Option<_>>().map(Bound::List)
        }
        "r" => {
            let lower = between(tree, ":lowerdatums", ":upperdatums")?;
            let upper = tree.split(":upperdatums").nth(1)?;
            Some(Bound::Range([
                stored_edge(lower, keys)?,
                stored_edge(upper, keys)?,
            ]))
        }
        _ => None,
    }
}

/// `PartitionRangeDatumKind`: -1 MINVALUE, 0 a value, 1 MAXVALUE.
fn stored_edge(tree: &str, keys: &[Oid]) -> Option<Vec<Edge>> {
    let mut found = Vec::new();
    for (datum, key) in tree.split("{PARTITIONRANGEDATUM").skip(1).zip(keys) {
        let at = match field(datum, ":kind")? {
            "-1" => Edge::Least,
            "1" => Edge::Most,
            _ => match of_type(*key)? {
                Of::Text => return None,
                _ => Edge::At(whole(datum)?),
            },
        };
        let is_last = at == Edge::Least || at == Edge::Most;
        found.push(at);
        if is_last {
            break;
        }
    }
    Some(found)
}

/// The word after a field's name.
fn field<'a>(tree: &'a str, name: &str) -> Option<&'a str> {
    let mut words = tree
        .split([' ', '(', ')', '}'])
        .skip_while(|word| *word != name);
    words.nth(1)
}

fn between<'a>(tree: &'a str, from: &str, to: &str) -> Option<&'a str> {
    tree.split(from).nth(1)?.split(to).next()
}

/// `:constvalue 4 [ 38 38 0 0 0 0 0 0 ]`: the bytes of a datum, each as C's `char`.
fn bytes(constant: &str) -> Option<Vec<u8>> {
    let list = between(constant.split(":constvalue").nth(1)?, "[", "]")?;
    let number = |word: &str| {
        let value = word.parse::<i16>().ok()?;
        u8::try_from(value & 0xff).ok()
    };
    list.split_whitespace().map(number).collect()
}

/// A whole number in a datum of 8 bytes, of a server that is little-endian.
fn whole(constant: &str) -> Option<i64> {
    let bytes: [u8; 8] = bytes(constant)?.try_into().ok()?;
    // What is shorter is a value of its own width: the rest tells how the server orders bytes.
    let (value, rest) = match field(constant, ":constlen")? {
        "2" => (i16::from_le_bytes([bytes[0], bytes[1]]).into(), &bytes[2..]),
        "4" => {
            let [a, b, c, d, ..] = bytes;
            (i32::from_le_bytes([a, b, c, d]).into(), &bytes[4..])
        }
        _ => (i64::from_le_bytes(bytes), &bytes[8..]),
    };
    let is_extended = rest.iter().all(|b| *b == 0) || rest.iter().all(|b| *b == 0xff);
    is_extended.then_some(value)
}

/// A `text` behind its header of four bytes.
fn text(constant: &str) -> Option<String> {
    String::from_utf8(bytes(constant)?.get(4..)?.to_vec()).ok()
}
