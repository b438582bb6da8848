//! What file names say: the version that a tool records, and the order that it runs them in.

/// A migration by its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As the tool's version table knows it.
    pub id: String,
    /// What it is ordered by.
    pub order: Vec<Chunk>,
}

/// A part of an order: numbers come before text, and by their value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chunk {
    /// Digits.
    Number(u128),
    /// Anything else.
    Text(String),
}

/// An order by the numbers in a name as well as its letters: `2_b` before `10_a`.
pub fn natural(name: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest
            .find(|c: char| c.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (chunk, after) = rest.split_at(end);
        chunks.push(
            chunk
                .parse()
                .map_or_else(|_| Chunk::Text(chunk.to_owned()), Chunk::Number),
        );
        rest = after;
    }
    chunks
}

fn by_text(id: &str, name: &str) -> Option<Named> {
    Some(Named {
        id: id.to_owned(),
        order: vec![Chunk::Text(name.to_owned())],
    })
}

fn by_number(digits: &str, name: &str) -> Option<Named> {
    let number = digits.parse().ok()?;
    Some(Named {
        id: number_text(number),
        order: vec![Chunk::Number(number), Chunk::Text(name.to_owned())],
    })
}

fn number_text(number: u128) -> String {
    number.to_string()
}

/// The digits that a name begins with, and what comes after; not for names in folders.
fn leading(name: &str) -> Option<(&str, &str)> {
    let end = name
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(name.len());
    (end > 0 && !name.contains('/')).then(|| name.split_at(end))
}

/// `<version>_<name>.sql` or `.up.sql`, never `.down.sql` (sqlx-core, migrate/source.rs).
pub fn sqlx(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (rest.starts_with('_') && rest.ends_with(".sql") && !rest.ends_with(".down.sql"))
        .then_some(())?;
    by_number(digits, name)
}

/// `<version>_<name>.up.sql` (golang-migrate, source/parse.go).
pub fn golang_migrate(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (rest.starts_with('_') && rest.ends_with(".up.sql")).then_some(())?;
    by_number(digits, name)
}

/// `<version>_<name>/up.sql`; the version is what stands before the first `_`, without dashes (diesel_migrations).
pub fn diesel(name: &str) -> Option<Named> {
    let folder = name
        .strip_suffix("/up.sql")
        .filter(|folder| !folder.contains('/'))?;
    let version = folder.split('_').next()?.replace('-', "");
    Some(Named {
        order: vec![Chunk::Text(version.clone())],
        id: version,
    })
}

/// `<timestamp>_<name>/migration.sql`; recorded by the folder's name.
pub fn prisma(name: &str) -> Option<Named> {
    let folder = name
        .strip_suffix("/migration.sql")
        .filter(|folder| !folder.contains('/'))?;
    by_text(folder, folder)
}

/// `V1__x.sql` and `U1__x.sql`, which may come out of order but goes up too (refinery-core, util.rs); in folders too.
pub fn refinery(name: &str) -> Option<Named> {
    let name = name.rsplit('/').next()?;
    let (version, description) = name
        .strip_prefix(['V', 'U'])?
        .strip_suffix(".sql")?
        .split_once("__")?;
    (!description.is_empty()).then_some(())?;
    by_number(version, name)
}

/// `V1.2__x.sql` by version, then `R__x.sql` by description. `U` goes down; `B` is for an empty database only.
pub fn flyway(name: &str) -> Option<Named> {
    let name = name.rsplit('/').next()?;
    let (version, description) = name.strip_suffix(".sql")?.split_once("__")?;
    if version == "R" {
        let id = description.replace('_', " ");
        return Some(Named {
            order: vec![Chunk::Text(id.clone())],
            id: format!("R {id}"),
        });
    }
    let version = version
        .strip_prefix('V')
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))?;
    let version = version.replace('_', ".");
    let parts: Option<Vec<u128>> = version.split('.').map(|part| part.parse().ok()).collect();
    let mut parts = parts?;
    // 1.0 and 1 are the same version (MigrationVersion.java).
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    let id = parts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(".");
    Some(Named {
        id,
        order: parts.into_iter().map(Chunk::Number).collect(),
    })
}

/// `<digits>….sql`, by name; recorded by the digits (dbmate, db.go).
pub fn dbmate(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    rest.ends_with(".sql").then(|| by_text(digits, name))?
}

/// `<version>_<name>.sql`, by number (goose, NumericComponent); 0 is not one.
pub fn goose(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (rest.starts_with('_') && digits.bytes().any(|digit| digit != b'0')).then_some(())?;
    by_number(digits, name)
}

/// `<version>_<name>.sql`, by name; recorded by what stands before the first `_` (atlas, sql/migrate/dir.go).
pub fn atlas(name: &str) -> Option<Named> {
    let stem = name
        .strip_suffix(".sql")
        .filter(|stem| !stem.contains('/'))?;
    by_text(stem.split('_').next()?, name)
}

/// `<number>…<name>.sql`, by number; recorded by the name without its end (node-pg-migrate).
pub fn node_pg_migrate(name: &str) -> Option<Named> {
    let (digits, _) = leading(name)?;
    let (stem, _) = name.rsplit_once('.')?;
    (!name.ends_with(".down.sql")).then_some(())?;
    Some(Named {
        id: stem.to_owned(),
        ..by_number(digits, name)?
    })
}

/// `<14 digits>_<name>.sql`, by number (supabase, internal/migration/list).
pub fn supabase(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (digits.len() == 14 && rest.starts_with('_') && rest.ends_with(".sql"))
        .then(|| by_number(digits, name))?
}

/// `<14 digits>_<name>.up.sql` or `.tx.up.sql`, and code without the `.up`; recorded by the digits (bun,
/// migrate/migrations.go).
pub fn bun(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name.rsplit('/').next()?)?;
    let stem = rest.strip_prefix('_')?.strip_suffix(".sql")?;
    let is_up = stem.ends_with(".up") || !stem.contains('.');
    (digits.len() == 14 && is_up).then(|| by_text(digits, digits))?
}

/// `<number>_<name>.sql`, by number where both have one (sql-migrate, migrate.go); recorded by the whole name.
pub fn sql_migrate(name: &str) -> Option<Named> {
    (name.ends_with(".sql") && !name.contains('/')).then_some(())?;
    let number = leading(name).and_then(|(digits, _)| by_number(digits, name));
    Some(Named {
        id: name.to_owned(),
        ..number.or_else(|| by_text(name, name))?
    })
}

/// `001_<name>.sql`, by number (tern, migrate.go).
pub fn tern(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (rest.starts_with('_') && rest.ends_with(".sql")).then(|| by_number(digits, name))?
}

/// `001.do.<name>.sql`, by number (postgrator).
pub fn postgrator(name: &str) -> Option<Named> {
    let (digits, rest) = leading(name)?;
    (rest.starts_with(".do.") && rest.ends_with(".sql")).then(|| by_number(digits, name))?
}

/// `committed/000001.sql` or `committed/000001-<name>.sql` (graphile-migrate); recorded by the file's name.
pub fn graphile(name: &str) -> Option<Named> {
    let file = name.rsplit('/').next()?;
    let (digits, rest) = leading(file)?;
    let is_committed = name.starts_with("committed/") || !name.contains('/');
    (is_committed && digits.len() == 6 && rest.ends_with(".sql")).then(|| by_text(file, file))?
}
