//! Frameworks whose migrations are code: how they print SQL for `pgguard gate -`.

use crate::tools::layout::Layout;

/// How a folder of code is recognised, and what to run instead.
struct Framework {
    is: fn(&str) -> bool,
    help: &'static str,
}

/// The first that fits a file's name.
const FRAMEWORKS: &[Framework] = &[
    Framework {
        is: |name| name.ends_with("env.py") || name.contains("versions/"),
        help: "for Alembic run: alembic upgrade head --sql | pgguard gate -",
    },
    Framework {
        is: |name| name.ends_with(".py"),
        help: "for Django run: python manage.py sqlmigrate APP NAME | pgguard gate -",
    },
    Framework {
        is: |name| name.ends_with(".cs"),
        help: "for EF Core run: dotnet ef migrations script FROM | pgguard gate -",
    },
    Framework {
        is: |name| name.ends_with(".php"),
        help: "for Laravel run: php artisan migrate --pretend, for Doctrine: migrate --write-sql, and give pgguard the SQL",
    },
    Framework {
        is: |name| {
            [".xml", ".yaml", ".yml"]
                .iter()
                .any(|end| name.ends_with(end))
        },
        help: "for Liquibase run: liquibase update-sql | pgguard gate -",
    },
    Framework {
        is: |name| {
            [
                ".rb", ".exs", ".js", ".ts", ".cjs", ".mjs", ".go", ".rs", ".java",
            ]
            .iter()
            .any(|end| name.ends_with(end))
        },
        help: "its migrations are code: give pgguard the SQL they run on standard input, or gate without a migration for the strictest guess",
    },
];

/// What to run instead, for a folder that holds code.
pub fn help(layout: &Layout) -> Option<String> {
    let fits = |framework: &&Framework| layout.files.iter().any(|file| (framework.is)(&file.name));
    FRAMEWORKS
        .iter()
        .find(fits)
        .map(|framework| framework.help.to_owned())
}
