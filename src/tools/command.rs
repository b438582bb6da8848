//! Which tool a command line runs.

use super::table::TOOLS;
use super::tool::Tool;

/// Words that all have to be in a command line, as words or as the ends of paths, and the tool that it runs then.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["db:migrate", "rails"], "Rails"),
    (&["db:migrate", "rake"], "Rails"),
    (&["db:prepare", "rails"], "Rails"),
    (&["manage.py", "migrate"], "Django"),
    (&["django-admin", "migrate"], "Django"),
    (&["ecto.migrate"], "Ecto"),
    (&["artisan", "migrate"], "Laravel"),
    (&["db:migrate", "sequelize"], "Sequelize"),
    (&["db:migrate", "sequelize-cli"], "Sequelize"),
    (&["ef", "database", "update"], "EF Core"),
    (&["drizzle-kit"], "Drizzle"),
    (&["migration:run"], "TypeORM"),
    (&["alembic.config"], "Alembic"),
    (&["doctrine:migrations:migrate"], "Doctrine"),
    (&["migrate", "database"], "golang-migrate"),
    (&["sea-orm-cli"], "SeaORM"),
    (&["mikro-orm"], "MikroORM"),
];

/// The tool that a command runs; `None`: it cannot be seen from its words. A shell's one long word is read too.
#[must_use]
pub fn of_command(command: &[String]) -> Option<&'static Tool> {
    let words: Vec<&str> = command
        .iter()
        .flat_map(|word| word.split_whitespace())
        .map(program)
        .collect();
    let has = |wanted: &str| words.contains(&wanted);
    let known = COMMANDS
        .iter()
        .find(|(wanted, _)| wanted.iter().all(|word| has(word)));
    match known {
        Some((_, name)) => TOOLS.iter().find(|tool| tool.name == *name),
        // A tool whose program is called like it. `rails` does much besides, and seeds are no migrations.
        None => TOOLS.iter().find(|tool| {
            let is_seed = words.iter().any(|word| word.contains("seed"));
            tool.name != "Rails" && !is_seed && has(&tool.word())
        }),
    }
}

/// A word without its folder and without a flag's dashes.
fn program(word: &str) -> &str {
    let word = word.trim_start_matches('-');
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_tell_their_tool() {
        for (line, tool) in [
            ("bin/rails db:migrate", Some("Rails")),
            (
                "bundle exec rake db:migrate RAILS_ENV=production",
                Some("Rails"),
            ),
            ("python manage.py migrate --noinput", Some("Django")),
            ("alembic upgrade head", Some("Alembic")),
            ("/usr/bin/npx knex migrate:latest", Some("Knex")),
            (
                "node_modules/.bin/node-pg-migrate up",
                Some("node-pg-migrate"),
            ),
            ("npx sequelize-cli db:migrate", Some("Sequelize")),
            ("migrate -path db -database $URL up", Some("golang-migrate")),
            ("sqlx migrate run", Some("sqlx")),
            ("mix ecto.migrate", Some("Ecto")),
            ("bundle exec rails server", None),
            ("npx knex seed:run", None),
            ("psql -f a.sql", None),
            ("./deploy.sh", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(of_command(&words).map(|tool| tool.name), tool, "{line}");
            let shell = ["sh".into(), "-c".into(), line.to_owned()];
            assert_eq!(of_command(&shell).map(|tool| tool.name), tool, "{line}");
        }
    }
}
