//! What a migration can reach: the names in it, and how far to follow them.
//!
//! Every identifier counts, whatever it stands for: a column that happens to be called like a table
//! costs a look-up, a missed table would cost the truth. What is done with the names (which relation is
//! meant, which lock it gets) is decided later, on the catalog.

use super::{names, quoted};
use crate::migration::parts::{self, Part};
use crate::migration::plpgsql;
use crate::migration::settings::Settings;
use crate::migration::statement::{Body, SourceStatement};
use crate::model::{Catalog, Routine};
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AConst, DropBehavior, ObjectType};
use pg_query::{NodeEnum, NodeRef};
use std::collections::BTreeSet;

/// What to look up in the catalog before a migration's footprint is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Every identifier of the migration, and string constants that may name a relation.
    pub names: BTreeSet<String>,
    /// Schemas that are dropped or worked on whole.
    pub schemas: BTreeSet<String>,
    /// Roles whose objects are worked on (`DROP OWNED`, `REASSIGN OWNED`).
    pub roles: BTreeSet<String>,
    /// Roles that the migration acts in.
    pub acting: BTreeSet<String>,
    /// The role that the session has logged in as, where it is connected: a role that this one may not set, it
    /// does not act in.
    pub login: Option<String>,
    /// Extensions that are created.
    pub extensions: BTreeSet<String>,
    /// Follow foreign keys whose action writes the rows that refer (`ON DELETE CASCADE` and its kin).
    pub follows_actions: bool,
    /// Follow every foreign key: what refers is truncated too.
    pub follows_references: bool,
    /// Rows are written: through a view, into the table under it.
    pub writes_rows: bool,
    /// Follow what depends on types, functions and other things that are no relation.
    pub follows_objects: bool,
    /// Every relation of the database (`VACUUM`, `REINDEX DATABASE`).
    pub everything: bool,
    /// Functions and triggers run: what their bodies name counts too, see [`Reach::into_code`].
    pub runs_code: bool,
}

/// What the statements can reach.
#[must_use]
pub fn reach(statements: &[SourceStatement]) -> Reach {
    let mut reach = Reach::default();
    for statement in statements {
        match &statement.body {
            Body::Sql(tree) => reach.add(&tree.node()),
            Body::Unparsable(_) => reach.add_words(&statement.sql),
            _ => {}
        }
        for lock in statement.measured.iter().flat_map(|m| &m.locks) {
            reach.names.insert(lock.name.relation.clone());
        }
    }
    reach
}

impl Reach {
    /// Adds one statement.
    pub fn add(&mut self, node: &NodeEnum) {
        self.add_names(node);
        self.add_scope(node);
    }

    /// What the bodies of functions in a first catalog reach beyond it; `None`: nothing.
    #[must_use]
    pub fn into_code(&self, catalog: &Catalog) -> Option<Self> {
        let runs = |r: &&Routine| {
            self.runs_code || catalog.event_triggers.iter().any(|e| e.function == r.oid)
        };
        let mut further = self.clone();
        // A body may delete.
        further.follows_actions = true;
        for routine in catalog.routines.iter().filter(runs) {
            further.add_words(routine.body.as_deref().unwrap_or_default());
        }
        (further.names.len() > self.names.len()).then_some(further)
    }

    fn add_names(&mut self, node: &NodeEnum) {
        let is_dml = matches!(
            node,
            NodeEnum::InsertStmt(_)
                | NodeEnum::UpdateStmt(_)
                | NodeEnum::SelectStmt(_)
                | NodeEnum::MergeStmt(_)
        );
        self.walk(node.to_ref(), !is_dml);
        // Bodies that Postgres will read, or that we will.
        for body in super::routine::bodies(node) {
            self.add_words(&body);
        }
        self.add_code(node);
    }

    /// The statements of a DO block that constants put together.
    fn add_code(&mut self, node: &NodeEnum) {
        let NodeEnum::DoStmt(statement) = node else {
            return;
        };
        let language = super::routine::language(&statement.args);
        let language = language.as_deref().unwrap_or("plpgsql");
        for body in super::routine::bodies(node) {
            for text in plpgsql::texts(&plpgsql::steps(language, &body, &[]).unwrap_or_default()) {
                self.add_words(text);
            }
        }
    }

    /// Every string of a tree that can be an identifier. Constants count (`constants`) only where a
    /// function or a cast may take them for a relation, not as the values of rows.
    fn walk(&mut self, node: NodeRef, constants: bool) {
        let constants = match node {
            NodeRef::AConst(_) if !constants => return,
            NodeRef::FuncCall(_) | NodeRef::TypeCast(_) => true,
            _ => constants,
        };
        // A function may run it.
        if let NodeRef::AConst(constant) = node
            && let Some(text) = code_in(constant)
        {
            return self.add_words(text);
        }
        for part in parts::of(node) {
            match part {
                Part::Node(node) => self.walk(node, constants),
                Part::Text(text) => self.add_text(text),
            }
        }
    }

    /// An identifier, or a constant such as `'app.order_id_seq'`.
    fn add_text(&mut self, text: &str) {
        // NAMEDATALEN twice, a dot and quotes: no longer string can name a relation.
        if text.len() <= 1 || text.len() > 140 {
            if text.len() == 1 {
                self.names.insert(text.to_owned());
                self.names.insert(text.to_lowercase());
            }
            return;
        }
        self.names.insert(text.to_owned());
        if text.contains(['.', '"']) || text.contains(|c: char| c.is_uppercase()) {
            self.names.extend(quoted::names(text));
            for part in text.split(['.', ',']) {
                let part = part.trim();
                self.names.insert(part.trim_matches('"').to_owned());
                self.names.insert(part.to_lowercase());
            }
        } else if text.contains(',') {
            self.names
                .extend(text.split(',').map(|part| part.trim().to_owned()));
        }
    }

    /// The words of a text in some language.
    fn add_words(&mut self, text: &str) {
        self.names.extend(quoted::names(text));
        // Whatever is not ASCII is part of a name (`ident_start`, scan.l).
        let parts = |c: char| c.is_ascii() && !is_of_a_word(c);
        let mut before = "";
        for piece in text.split_inclusive(parts) {
            let word = piece.trim_end_matches(parts);
            // A name of digits only stands in quotes.
            let is_number =
                word.bytes().all(|byte| byte.is_ascii_digit()) && !before.ends_with('"');
            if !is_number {
                self.add_word(word);
            }
            if !word.is_ascii() {
                for word in word.split(|c| !is_of_a_word(c)) {
                    self.add_word(word);
                }
            }
            before = piece;
        }
    }

    /// A word as it stands, and in lower case: the letters that are folded depend on the encoding
    /// (`downcase_identifier`, scansup.c).
    fn add_word(&mut self, word: &str) {
        for word in [word, &word.to_ascii_lowercase(), &word.to_lowercase()] {
            self.names.insert(quoted::clipped(word).to_owned());
        }
    }

    fn add_scope(&mut self, node: &NodeEnum) {
        let command = crate::migration::command::of(node);
        self.runs_code |= command.runs_code;
        self.follows_actions |= matches!(node, NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_));
        self.writes_rows |= matches!(
            node,
            NodeEnum::InsertStmt(_)
                | NodeEnum::UpdateStmt(_)
                | NodeEnum::DeleteStmt(_)
                | NodeEnum::MergeStmt(_)
                | NodeEnum::CopyStmt(_)
                // WITH may write, and functions.
                | NodeEnum::SelectStmt(_)
                | NodeEnum::CallStmt(_)
                | NodeEnum::DoStmt(_)
        );
        let mut settings = Settings::default();
        settings.apply(node, true);
        settings.apply_calls(node, true);
        self.acting.extend(settings.role().map(str::to_owned));
        match node {
            NodeEnum::TruncateStmt(s) => {
                self.follows_references |= s.behavior == DropBehavior::DropCascade as i32;
            }
            NodeEnum::DeleteStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::MergeStmt(_) => {
                self.follows_actions = true;
            }
            NodeEnum::DropStmt(s) => self.add_drop(s),
            NodeEnum::AlterDomainStmt(_)
            | NodeEnum::AlterTypeStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::AlterExtensionStmt(_) => self.follows_objects = true,
            NodeEnum::AlterTableStmt(s) => {
                self.follows_objects |= s.objtype == ObjectType::ObjectType as i32;
            }
            NodeEnum::RenameStmt(s) => {
                self.follows_objects |= s.rename_type == ObjectType::ObjectAttribute as i32
                    || s.relation_type == ObjectType::ObjectType as i32;
            }
            NodeEnum::CreateExtensionStmt(s) => {
                self.extensions.insert(s.extname.clone());
            }
            NodeEnum::DropOwnedStmt(s) => self.add_roles(&s.roles),
            NodeEnum::ReassignOwnedStmt(s) => self.add_roles(&s.roles),
            NodeEnum::VacuumStmt(s) => self.everything |= s.rels.is_empty(),
            NodeEnum::ClusterStmt(s) => self.everything |= s.relation.is_none(),
            NodeEnum::ReindexStmt(s) if s.relation.is_none() => {
                use pg_query::protobuf::ReindexObjectType as R;
                if s.kind == R::ReindexObjectSchema as i32 {
                    self.schemas.insert(s.name.clone());
                } else {
                    self.everything = true;
                }
            }
            NodeEnum::AlterTableMoveAllStmt(_) => self.everything = true,
            NodeEnum::ExplainStmt(s) => {
                if let Some(inner) = s.query.as_ref().and_then(|q| q.node.as_ref()) {
                    self.add_scope(inner);
                }
            }
            _ => {}
        }
    }

    fn add_drop(&mut self, drop: &pg_query::protobuf::DropStmt) {
        let kind = ObjectType::try_from(drop.remove_type).unwrap_or(ObjectType::Undefined);
        match kind {
            ObjectType::ObjectSchema => {
                self.follows_objects = true;
                for object in &drop.objects {
                    self.schemas.extend(super::names::strings(object));
                }
            }
            ObjectType::ObjectTable
            | ObjectType::ObjectIndex
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectSequence
            | ObjectType::ObjectForeignTable
            | ObjectType::ObjectTrigger
            | ObjectType::ObjectRule
            | ObjectType::ObjectPolicy
            | ObjectType::ObjectStatisticExt
            | ObjectType::ObjectPublication => {}
            _ => self.follows_objects = true,
        }
    }

    fn add_roles(&mut self, roles: &[pg_query::protobuf::Node]) {
        self.follows_objects = true;
        self.roles.extend(names::role_names(roles));
    }
}

/// A text that begins as a statement does.
fn code_in(constant: &AConst) -> Option<&str> {
    let Some(Val::Sval(text)) = &constant.val else {
        return None;
    };
    let first = text.sval.split_whitespace().next()?;
    let is_code = VERBS.iter().any(|verb| first.eq_ignore_ascii_case(verb));
    is_code.then_some(&text.sval)
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Words that statements begin with which name relations.
const VERBS: &[&str] = &[
    "ALTER", "ANALYZE", "CALL", "CLUSTER", "COMMENT", "COPY", "CREATE", "DELETE", "DO", "DROP",
    "EXPLAIN", "GRANT", "INSERT", "LOCK", "MERGE", "REFRESH", "REINDEX", "REVOKE", "SELECT",
    "TABLE", "TRUNCATE", "UPDATE", "VACUUM", "VALUES", "WITH",
];
