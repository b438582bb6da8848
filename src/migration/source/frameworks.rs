//! Frameworks whose migrations are code: what to run, so that pgguard judges the SQL that they send.

use crate::tools::layout::Layout;

/// One framework: how its migrations are recognised, and its own commands.
struct Framework {
    /// Empty: a program of one's own, or a library that is not known.
    name: &'static str,
    is: fn(&Layout, &str) -> bool,
    /// Runs the migrations: pgguard rehearses it on a copy of the schema.
    runs: &'static str,
    /// Prints their SQL, where it can.
    prints: Option<&'static str>,
}

const NONE: Framework = Framework {
    name: "",
    is: |_, _| false,
    runs: "COMMAND",
    prints: None,
};

/// The first that fits a file's name. JavaScript and TypeScript look alike everywhere: package.json names the library.
static FRAMEWORKS: &[Framework] = &[
    Framework {
        name: "Rails",
        is: |_, file| file.ends_with(".rb"),
        runs: "bin/rails db:migrate",
        ..NONE
    },
    Framework {
        name: "Flask-Migrate",
        // Its folder has the settings, too; Alembic's own are above it.
        is: |layout, file| is_alembic(file) && layout.has("env.py") && layout.has("alembic.ini"),
        runs: "flask db upgrade",
        prints: Some("flask db upgrade --sql"),
    },
    Framework {
        name: "Alembic",
        is: |_, file| is_alembic(file),
        runs: "alembic upgrade head",
        prints: Some("alembic upgrade head --sql"),
    },
    Framework {
        name: "Django",
        is: |_, file| file.ends_with(".py"),
        runs: "python manage.py migrate",
        prints: Some("python manage.py sqlmigrate APP NAME"),
    },
    Framework {
        name: "EF Core",
        is: |_, file| file.ends_with(".cs"),
        runs: "dotnet ef database update",
        prints: Some("dotnet ef migrations script FROM"),
    },
    Framework {
        name: "Doctrine",
        is: |_, file| file.ends_with(".php") && last(file).starts_with("Version"),
        runs: "bin/console doctrine:migrations:migrate --no-interaction",
        ..NONE
    },
    Framework {
        name: "Laravel",
        is: |_, file| file.ends_with(".php"),
        runs: "php artisan migrate --force",
        ..NONE
    },
    Framework {
        name: "Ecto",
        is: |_, file| file.ends_with(".exs"),
        runs: "mix ecto.migrate",
        ..NONE
    },
    Framework {
        name: "TypeORM",
        is: |layout, file| is_script(file) && layout.project_uses("\"typeorm\""),
        runs: "npx typeorm migration:run -d DATA-SOURCE.js",
        ..NONE
    },
    Framework {
        name: "Sequelize",
        is: |layout, file| is_script(file) && layout.project_uses("\"sequelize"),
        runs: "npx sequelize-cli db:migrate",
        ..NONE
    },
    Framework {
        name: "Knex",
        is: |layout, file| is_script(file) && layout.project_uses("\"knex\""),
        runs: "npx knex migrate:latest",
        ..NONE
    },
    Framework {
        name: "node-pg-migrate",
        is: |layout, file| is_script(file) && layout.project_uses("\"node-pg-migrate\""),
        runs: "npx node-pg-migrate up",
        ..NONE
    },
    Framework {
        name: "Flyway",
        is: |_, file| file.ends_with(".java"),
        runs: "flyway migrate",
        ..NONE
    },
    Framework {
        name: "Liquibase",
        is: |_, file| ends(file, &[".xml", ".yaml", ".yml"]),
        runs: "liquibase update",
        prints: Some("liquibase update-sql"),
    },
    Framework {
        is: |_, file| is_script(file) || ends(file, &[".go", ".rs"]),
        ..NONE
    },
];

fn last(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn ends(file: &str, with: &[&str]) -> bool {
    with.iter().any(|end| file.ends_with(end))
}

/// Alembic's environment, or a revision in its folder.
fn is_alembic(file: &str) -> bool {
    last(file) == "env.py" || (file.ends_with(".py") && file.contains("versions/"))
}

fn is_script(file: &str) -> bool {
    ends(file, &[".js", ".ts", ".cjs", ".mjs"])
}

/// What to run instead, for a folder that holds code.
pub fn help(layout: &Layout) -> Option<String> {
    FRAMEWORKS.iter().find_map(|framework| {
        let mut files = layout.files.iter();
        let fits = files.any(|file| (framework.is)(layout, &file.name));
        fits.then(|| advice(framework))
    })
}

/// The first migration that is code, which none of the files read here stands for, and what to run instead: SQL that
/// lies next to it (a dump of the schema, a script that the code reads) is not all that will run.
pub fn beside(layout: &Layout, is_read: impl Fn(&str) -> bool) -> Option<(&str, String)> {
    let mut code = layout.files.iter().filter(|file| file.is_code());
    let first = code.find(|file| is_versioned(&file.name) && !is_read(&file.path))?;
    let framework = FRAMEWORKS
        .iter()
        .find(|framework| (framework.is)(layout, &first.name))?;
    Some((&first.name, advice(framework)))
}

/// Whether code is named as a migration is: by a number, or in Alembic's folder. Other code is the application's.
fn is_versioned(file: &str) -> bool {
    /// How many folders deep migrations lie in what was named.
    const DEEPEST: usize = 2;
    let after = |start| last(file).strip_prefix(start).unwrap_or(last(file));
    let number = ["Version", "V", "m"].map(after);
    let is_numbered = number
        .iter()
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    file.matches('/').count() <= DEEPEST && (is_numbered || is_alembic(file))
}

fn advice(framework: &Framework) -> String {
    let Framework {
        name, runs, prints, ..
    } = framework;
    let whose = match *name {
        "" => "its migrations".to_owned(),
        name => format!("migrations of {name}"),
    };
    let prints = prints.map_or_else(String::new, |prints| {
        format!(", or what they print: {prints} | pgguard gate -")
    });
    format!("{whose} are code; judge what they send: pgguard gate --rehearse -- {runs}{prints}")
}
