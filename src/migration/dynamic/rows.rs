//! The rows of a query over constants, which a loop goes through.

use super::{Known, Value, select_of, strings};
use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, RangeFunction, RangeSubselect, SelectStmt};

/// The values of a row, by the names of its columns.
pub type Row = Vec<(String, Value)>;

impl Known {
    /// The rows of a query over constants, as the values of its columns.
    pub fn rows(&mut self, query: &str) -> Option<Vec<Row>> {
        let select = select_of(query)?;
        if select.where_clause.is_some() || select.larg.is_some() || select.with_clause.is_some() {
            return None;
        }
        if !select.values_lists.is_empty() {
            return self.values(&select, &[]);
        }
        match (select.from_clause.as_slice(), select.target_list.as_slice()) {
            ([], [target]) => {
                let NodeEnum::ResTarget(target) = target.node.as_ref()? else {
                    return None;
                };
                let call = call_of(target.val.as_deref()?, "unnest")?;
                let name = match target.name.as_str() {
                    "" => "unnest",
                    name => name,
                };
                self.unnested(call, name)
            }
            ([from], _) => self.from(from),
            _ => None,
        }
    }

    fn from(&mut self, from: &Node) -> Option<Vec<Row>> {
        match from.node.as_ref()? {
            NodeEnum::RangeFunction(range) => {
                let name = column_of(range);
                let NodeEnum::List(list) = range.functions.first()?.node.as_ref()? else {
                    return None;
                };
                let call = call_of(list.items.first()?, "unnest")?;
                self.unnested(call, &name)
            }
            NodeEnum::RangeSubselect(range) => {
                let columns = columns_of(range);
                let NodeEnum::SelectStmt(select) = range.subquery.as_ref()?.node.as_ref()? else {
                    return None;
                };
                self.values(select, &columns)
            }
            _ => None,
        }
    }

    fn unnested(&mut self, call: &FuncCall, name: &str) -> Option<Vec<Row>> {
        let [only] = call.args.as_slice() else {
            return None;
        };
        match self.of(only)? {
            Value::List(items) => Some(
                items
                    .into_iter()
                    .map(|item| vec![(name.to_owned(), item)])
                    .collect(),
            ),
            Value::Text(_) => None,
        }
    }

    fn values(&mut self, select: &SelectStmt, columns: &[String]) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        for list in &select.values_lists {
            let NodeEnum::List(list) = list.node.as_ref()? else {
                return None;
            };
            let mut row = Vec::new();
            for (at, item) in list.items.iter().enumerate() {
                let own = || format!("column{}", at + 1);
                let name = columns.get(at).cloned().unwrap_or_else(own);
                row.push((name, self.of(item)?));
            }
            rows.push(row);
        }
        (!rows.is_empty()).then_some(rows)
    }
}

fn call_of<'a>(node: &'a Node, name: &str) -> Option<&'a FuncCall> {
    match node.node.as_ref()? {
        NodeEnum::FuncCall(call) if strings(&call.funcname).last()? == name => Some(call),
        NodeEnum::List(list) => call_of(list.items.first()?, name),
        _ => None,
    }
}

/// What the one column of a function in FROM is called.
fn column_of(range: &RangeFunction) -> String {
    let alias = range.alias.as_ref();
    let named = alias.and_then(|a| strings(&a.colnames).into_iter().next());
    let named = named.or_else(|| Some(alias?.aliasname.clone()));
    named.unwrap_or_else(|| "unnest".to_owned())
}

fn columns_of(range: &RangeSubselect) -> Vec<String> {
    let alias = range.alias.as_ref();
    alias.map(|a| strings(&a.colnames)).unwrap_or_default()
}
