//! Which tool a command line runs, and what it has it do.

use super::errands::{Errand, LINES, Line};
use super::table::TOOLS;
use super::tool::Tool;

/// Programs before the tool's own, and what is not worth a look in a shell's line.
const HARMLESS: [&str; 8] = [
    "cd", "export", "set", "source", ".", "umask", "echo", "true",
];

/// What ends a command in a shell's line.
const ENDS: [&str; 5] = ["&&", "||", ";", "|", "\n"];

/// Flags after which a tool does nothing to the schema, whatever it was asked for.
const ONLY_LOOKS: [&str; 10] = [
    "--help",
    "--version",
    "--dry-run",
    "--dryrun",
    "--plan",
    "--pretend",
    "--fake",
    "--log-only",
    "--sql",
    "--check",
];

/// The tool that a command runs; `None`: it cannot be seen from its words. A shell's one long word is read too.
#[must_use]
pub fn of_command(command: &[String]) -> Option<&'static Tool> {
    errand_of(command).map(|(tool, _)| tool)
}

/// The same, with what the tool does.
#[must_use]
pub fn errand_of(command: &[String]) -> Option<(&'static Tool, Errand)> {
    let text = command.join(" ");
    let mut found: Option<(&'static Tool, Errand)> = None;
    let mut is_alone = true;
    for part in parts(&text) {
        let words: Vec<&str> = part
            .split_whitespace()
            .map(unquoted)
            .filter(|w| !w.is_empty())
            .collect();
        match LINES.iter().find_map(|line| read(line, &words)) {
            Some((tool, errand)) => {
                let worst = found.map_or(errand, |(_, before)| before.max(errand));
                found = Some((tool, worst));
            }
            None => is_alone &= is_harmless(&words),
        }
    }
    let (tool, errand) = found?;
    // What else its shell runs would run twice.
    Some((tool, if is_alone { errand } else { Errand::Else }))
}

/// The commands of a shell's line.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = vec![text];
    for end in ENDS {
        parts = parts.into_iter().flat_map(|part| part.split(end)).collect();
    }
    parts
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\'', '(', ')'])
}

/// Nothing, a shell that is only begun, or a word that changes nothing outside of the shell.
fn is_harmless(words: &[&str]) -> bool {
    let rest: Vec<&&str> = words.iter().filter(|word| !is_prefix(word)).collect();
    rest.first().is_none_or(|first| HARMLESS.contains(first))
}

/// What stands before a command: a shell with its flags, variables.
fn is_prefix(word: &str) -> bool {
    let name = program(word);
    ["sh", "bash", "dash", "zsh", "env", "exec", "nice", "time"].contains(&name)
        || word.starts_with('-')
        || is_variable(word)
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// What a line of a tool makes of these words; `None`: it is not the tool's.
fn read(line: &Line, words: &[&str]) -> Option<(&'static Tool, Errand)> {
    let at = words
        .iter()
        .position(|word| program(word) == line.program)?;
    let after = &words[at + 1..];
    let has = |wanted: &&str| words.iter().any(|word| program(word) == *wanted);
    if !line.with.iter().all(has) {
        return None;
    }
    let tool = TOOLS.iter().find(|tool| tool.name == line.tool)?;
    let errand = match (line.tasks, line.verbs) {
        (true, verbs) => of_tasks(after, verbs)?,
        (false, verbs) => of_verb(after, verbs)?,
    };
    let only_looks = errand != Errand::Else && after.iter().any(|word| ONLY_LOOKS.contains(word));
    Some((tool, if only_looks { Errand::Looks } else { errand }))
}

/// The first of the verbs whose words are all there, in their order.
fn of_verb(words: &[&str], verbs: &[(&str, Errand)]) -> Option<Errand> {
    let says = |verb: &str| {
        let mut rest = words.iter();
        verb.is_empty()
            || verb
                .split(' ')
                .all(|wanted| rest.any(|word| fits(wanted, word)))
    };
    verbs
        .iter()
        .find(|(verb, _)| says(verb))
        .map(|(_, errand)| *errand)
}

fn fits(wanted: &str, word: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => word.starts_with(begin),
        None if wanted == "#" => !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()),
        None => word == wanted,
    }
}

/// Each word is a task, as of rake: one that is not known makes it something else. A task `name:database` is the task
/// `name` on one of several databases.
fn of_tasks(words: &[&str], verbs: &[(&str, Errand)]) -> Option<Errand> {
    let tasks = words
        .iter()
        .filter(|word| !word.starts_with('-') && !is_variable(word));
    let known = |task: &str| {
        verbs
            .iter()
            .find(|(verb, _)| *verb == task)
            .map(|(_, errand)| *errand)
    };
    let errands: Vec<Option<Errand>> = tasks
        .map(|task| known(task).or_else(|| known(task.rsplit_once(':')?.0)))
        .collect();
    errands.iter().flatten().next()?;
    errands
        .into_iter()
        .map(|errand| errand.unwrap_or(Errand::Else))
        .max()
}

/// A word without its folder, and without an ending that names a version of a program (`bin/rails`, `dotnet-ef`).
fn program(word: &str) -> &str {
    let word = word.trim_start_matches('-');
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::Errand::{Else, Looks, Migrates, Steps};
    use super::*;

    fn read(line: &str) -> Option<(&'static str, Errand)> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let shell = ["sh".into(), "-c".into(), line.to_owned()];
        let told = errand_of(&words).map(|(tool, errand)| (tool.name, errand));
        assert_eq!(
            errand_of(&shell).map(|(tool, errand)| (tool.name, errand)),
            told,
            "{line}"
        );
        told
    }

    #[test]
    fn commands_tell_their_tool_and_what_it_does() {
        for (line, tool, errand) in [
            ("bin/rails db:migrate", "Rails", Migrates),
            (
                "bundle exec rake db:migrate RAILS_ENV=production",
                "Rails",
                Migrates,
            ),
            ("bin/rails db:migrate:primary", "Rails", Migrates),
            ("bin/rails db:rollback STEP=2", "Rails", Steps),
            ("bin/rails db:migrate:status", "Rails", Looks),
            ("bin/rails db:migrate:redo", "Rails", Steps),
            ("bin/rails db:migrate db:seed", "Rails", Else),
            ("rake db:migrate data:backfill", "Rails", Else),
            ("bin/rails db:migrate:reset", "Rails", Else),
            ("python manage.py migrate --noinput", "Django", Migrates),
            ("python manage.py migrate shop zero", "Django", Steps),
            ("python manage.py migrate shop 0003", "Django", Migrates),
            ("python manage.py migrate --plan", "Django", Looks),
            ("manage.py showmigrations", "Django", Looks),
            ("manage.py flush", "Django", Else),
            ("alembic upgrade head", "Alembic", Migrates),
            ("alembic upgrade +1", "Alembic", Steps),
            ("python3 -m flask db upgrade", "Alembic", Migrates),
            ("flask --app shop db downgrade", "Alembic", Steps),
            ("flask db migrate -m total", "Alembic", Looks),
            ("python3 -m alembic.config downgrade -1", "Alembic", Steps),
            ("alembic stamp head", "Alembic", Looks),
            ("/usr/bin/npx knex migrate:latest", "Knex", Migrates),
            ("knex migrate:rollback --all", "Knex", Steps),
            ("knex migrate:up", "Knex", Steps),
            ("knex migrate:unlock", "Knex", Looks),
            ("npx knex seed:run", "Knex", Else),
            (
                "node_modules/.bin/node-pg-migrate up",
                "node-pg-migrate",
                Migrates,
            ),
            ("node-pg-migrate up 1", "node-pg-migrate", Steps),
            ("node-pg-migrate down", "node-pg-migrate", Steps),
            ("node-pg-migrate up --fake", "node-pg-migrate", Looks),
            ("npx sequelize-cli db:migrate", "Sequelize", Migrates),
            ("sequelize db:migrate:undo:all", "Sequelize", Steps),
            (
                "migrate -path db -database $URL up",
                "golang-migrate",
                Migrates,
            ),
            (
                "migrate -path db -database $URL drop -f",
                "golang-migrate",
                Else,
            ),
            (
                "migrate -database $URL -path db force 3",
                "golang-migrate",
                Looks,
            ),
            ("sqlx migrate run", "sqlx", Migrates),
            ("sqlx migrate revert", "sqlx", Steps),
            ("sqlx database reset -y", "sqlx", Else),
            ("npx prisma migrate deploy", "Prisma", Migrates),
            ("npx prisma migrate dev", "Prisma", Else),
            ("npx prisma migrate reset", "Prisma", Else),
            ("npx prisma db push", "Prisma", Else),
            ("npx prisma migrate resolve --applied 1", "Prisma", Looks),
            ("npx drizzle-kit migrate", "Drizzle", Migrates),
            ("npx drizzle-kit push", "Drizzle", Else),
            ("mix ecto.migrate", "Ecto", Migrates),
            ("mix ecto.rollback", "Ecto", Steps),
            ("mix ecto.reset", "Ecto", Else),
            ("php artisan migrate --force", "Laravel", Migrates),
            ("php artisan migrate --seed", "Laravel", Else),
            ("php artisan migrate:fresh", "Laravel", Else),
            ("php artisan migrate:rollback", "Laravel", Steps),
            ("php artisan migrate --pretend", "Laravel", Looks),
            ("flyway clean", "Flyway", Else),
            (
                "flyway -url=jdbc:postgresql://db/shop migrate",
                "Flyway",
                Migrates,
            ),
            ("flyway repair", "Flyway", Looks),
            ("liquibase update", "Liquibase", Migrates),
            ("liquibase release-locks", "Liquibase", Looks),
            ("liquibase rollback-count 1", "Liquibase", Steps),
            ("liquibase drop-all", "Liquibase", Else),
            ("dotnet ef database update", "EF Core", Migrates),
            ("dotnet ef database drop", "EF Core", Else),
            ("typeorm migration:revert", "TypeORM", Steps),
            ("typeorm schema:sync", "TypeORM", Else),
            ("supabase db reset", "Supabase", Else),
            ("sqitch revert", "Sqitch", Steps),
            ("goose -dir db postgres up", "goose", Migrates),
            ("goose postgres reset", "goose", Steps),
            ("tern migrate -d -1", "tern", Steps),
            ("tern migrate", "tern", Migrates),
            (
                "php bin/console doctrine:migrations:migrate prev",
                "Doctrine",
                Steps,
            ),
            ("cd app && bundle exec rails db:migrate", "Rails", Migrates),
            ("bin/backfill && bin/rails db:migrate", "Rails", Else),
            ("rails db:rollback && rails db:migrate", "Rails", Steps),
        ] {
            assert_eq!(read(line), Some((tool, errand)), "{line}");
        }
        for line in [
            "bundle exec rails server",
            "psql -f a.sql",
            "./deploy.sh",
            "./deploy.sh prisma",
            "bun run migrate",
            "rake assets:precompile",
            "prisma generate --schema x",
            "make migrate",
        ] {
            let told = read(line);
            assert!(
                told.is_none_or(|(_, errand)| errand == Looks),
                "{line}: {told:?}"
            );
        }
    }

    #[test]
    fn every_tool_that_has_a_command_line_has_its_lines() {
        // bun's is a program that each project writes, Bytebase a server. `bun` is also another language's runtime.
        let without = ["bun", "Bytebase"];
        for tool in TOOLS.iter().filter(|tool| !without.contains(&tool.name)) {
            assert!(
                LINES.iter().any(|line| line.tool == tool.name),
                "{}",
                tool.name
            );
        }
        for line in LINES {
            assert!(
                TOOLS.iter().any(|tool| tool.name == line.tool),
                "{}",
                line.tool
            );
        }
    }
}
