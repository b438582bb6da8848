//! The command lines of the tools: a row a program, with what its subcommands do, the most harmful first.
//!
//! Sources: the help of each program.

use Errand::{Else, Looks, Migrates, Steps};

/// What a command has its tool do; of several things the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// It looks, writes files, or changes the tool's own tables alone: status, new, unlock, repair.
    Looks,
    /// It applies what is pending: started once more, it continues where it stopped.
    Migrates,
    /// It goes some steps back or forth from where it is: started once more, it goes further.
    Steps,
    /// It does something else, or more besides: seeds, drops, loads a schema.
    Else,
}

/// A program that runs a tool.
pub(super) struct Line {
    /// Its name, without its folder.
    pub program: &'static str,
    /// Words that have to be there besides, without a flag's dashes: the name alone is too common.
    pub with: &'static [&'static str],
    pub tool: &'static str,
    /// Whether every word is a task of its own.
    pub tasks: bool,
    /// Subcommands, words in their order (`x*`: begins with x, `#`: a number); none: any.
    pub verbs: &'static [(&'static str, Errand)],
}

const fn line(
    tool: &'static str,
    program: &'static str,
    verbs: &'static [(&'static str, Errand)],
) -> Line {
    Line {
        program,
        with: &[],
        tool,
        tasks: false,
        verbs,
    }
}

const fn tasks(program: &'static str) -> Line {
    Line {
        tasks: true,
        ..line("Rails", program, RAILS)
    }
}

const RAILS: &[(&str, Errand)] = &[
    ("db:migrate:reset", Else),
    ("db:migrate:redo", Steps),
    ("db:migrate:down", Steps),
    ("db:migrate:status", Looks),
    ("db:migrate:up", Migrates),
    ("db:migrate", Migrates),
    ("db:prepare", Migrates),
    ("db:rollback", Steps),
    ("db:forward", Steps),
    ("db:reset", Else),
    ("db:setup", Else),
    ("db:drop", Else),
    ("db:seed", Else),
    ("db:seed:replant", Else),
    ("db:truncate_all", Else),
    ("db:purge", Else),
    ("db:schema:load", Else),
    ("db:structure:load", Else),
    ("db:schema:dump", Looks),
    ("db:structure:dump", Looks),
    ("db:create", Looks),
    ("db:version", Looks),
    ("db:abort_if_pending_migrations", Looks),
];

const DJANGO: &[(&str, Errand)] = &[
    ("flush", Else),
    ("loaddata", Else),
    ("migrate zero", Steps),
    ("makemigrations", Looks),
    ("showmigrations", Looks),
    ("sqlmigrate", Looks),
    ("migrate", Migrates),
];

const ALEMBIC: &[(&str, Errand)] = &[
    ("downgrade", Steps),
    ("upgrade +*", Steps),
    ("upgrade", Migrates),
    ("stamp", Looks),
    ("current", Looks),
    ("history", Looks),
    ("heads", Looks),
    ("branches", Looks),
    ("check", Looks),
    ("revision", Looks),
    ("merge", Looks),
    ("show", Looks),
];

/// Flask-Migrate's names for Alembic's; `db migrate` only writes a file.
const FLASK: &[(&str, Errand)] = &[
    ("db downgrade", Steps),
    ("db upgrade +*", Steps),
    ("db upgrade", Migrates),
    ("db", Looks),
];

const SEQUELIZE: &[(&str, Errand)] = &[
    ("db:drop", Else),
    ("db:seed*", Else),
    ("db:migrate:undo*", Steps),
    ("db:migrate:status", Looks),
    ("db:create", Looks),
    ("db:migrate", Migrates),
];

const TYPEORM: &[(&str, Errand)] = &[
    ("schema:*", Else),
    ("migration:revert", Steps),
    ("migration:run", Migrates),
    ("migration:*", Looks),
];

const MIKRO: &[(&str, Errand)] = &[
    ("migration:fresh", Else),
    ("schema:*", Else),
    ("seeder:run", Else),
    ("migration:down", Steps),
    ("migration:up", Migrates),
    ("migration:*", Looks),
];

const EF: &[(&str, Errand)] = &[
    ("database drop", Else),
    ("database update", Migrates),
    ("migrations", Looks),
];

const DOCTRINE: &[(&str, Errand)] = &[
    ("prev", Steps),
    ("next", Steps),
    ("current-*", Steps),
    ("current+*", Steps),
    ("first", Steps),
    ("0", Steps),
    ("", Migrates),
];

const ALWAYS: &[(&str, Errand)] = &[("", Migrates)];

/// Every line; the first that fits counts.
pub(super) const LINES: &[Line] = &[
    tasks("rails"),
    tasks("rake"),
    line("Django", "manage.py", DJANGO),
    line("Django", "django-admin", DJANGO),
    line("Django", "django", DJANGO),
    line("Alembic", "alembic", ALEMBIC),
    line("Alembic", "alembic.config", ALEMBIC),
    line("Alembic", "flask", FLASK),
    line("Sequelize", "sequelize", SEQUELIZE),
    line("Sequelize", "sequelize-cli", SEQUELIZE),
    line("TypeORM", "typeorm", TYPEORM),
    line("TypeORM", "typeorm-ts-node-commonjs", TYPEORM),
    line("TypeORM", "typeorm-ts-node-esm", TYPEORM),
    line("TypeORM", "migration:revert", &[("", Steps)]),
    line("TypeORM", "migration:run", ALWAYS),
    line("MikroORM", "mikro-orm", MIKRO),
    line("MikroORM", "mikro-orm-esm", MIKRO),
    line("EF Core", "ef", EF),
    line("EF Core", "dotnet-ef", EF),
    line("Doctrine", "doctrine:migrations:migrate", DOCTRINE),
    line("Doctrine", "migrations:migrate", DOCTRINE),
    line(
        "Doctrine",
        "doctrine:migrations:execute",
        &[("--down", Steps), ("", Migrates)],
    ),
    line("Doctrine", "doctrine:schema:update", &[("", Else)]),
    line("Doctrine", "doctrine:schema:drop", &[("", Else)]),
    line("Doctrine", "doctrine:migrations:status", &[("", Looks)]),
    line("Doctrine", "doctrine:migrations:version", &[("", Looks)]),
    line(
        "Ecto",
        "mix",
        &[
            ("ecto.reset", Else),
            ("ecto.drop", Else),
            ("ecto.setup", Else),
            ("ecto.load", Else),
            ("ecto.rollback", Steps),
            ("ecto.migrate --step", Steps),
            ("ecto.migrate -n", Steps),
            ("ecto.migrations", Looks),
            ("ecto.migrate", Migrates),
        ],
    ),
    line(
        "Laravel",
        "artisan",
        &[
            ("migrate:fresh", Else),
            ("migrate:refresh", Else),
            ("migrate:reset", Else),
            ("db:wipe", Else),
            ("db:seed", Else),
            ("migrate --seed", Else),
            ("migrate:rollback", Steps),
            ("migrate:status", Looks),
            ("migrate:install", Looks),
            ("make:migration", Looks),
            ("migrate", Migrates),
        ],
    ),
    line(
        "Drizzle",
        "drizzle-kit",
        &[
            ("push", Else),
            ("migrate", Migrates),
            ("generate", Looks),
            ("check", Looks),
            ("pull", Looks),
            ("drop", Looks),
            ("up", Looks),
        ],
    ),
    line(
        "SeaORM",
        "sea-orm-cli",
        &[
            ("migrate fresh", Else),
            ("migrate refresh", Else),
            ("migrate reset", Else),
            ("migrate down", Steps),
            ("migrate up -n", Steps),
            ("migrate status", Looks),
            ("migrate init", Looks),
            ("migrate generate", Looks),
            ("migrate", Migrates),
        ],
    ),
    line(
        "Knex",
        "knex",
        &[
            ("seed:run", Else),
            ("migrate:rollback", Steps),
            ("migrate:down", Steps),
            ("migrate:up", Steps),
            ("migrate:latest", Migrates),
            ("migrate:*", Looks),
        ],
    ),
    line(
        "node-pg-migrate",
        "node-pg-migrate",
        &[
            ("down", Steps),
            ("redo", Steps),
            ("up #", Steps),
            ("create", Looks),
            ("up", Migrates),
        ],
    ),
    line(
        "db-migrate",
        "db-migrate",
        &[
            ("reset", Else),
            ("db:drop", Else),
            ("down", Steps),
            ("up -c", Steps),
            ("create", Looks),
            ("check", Looks),
            ("up", Migrates),
        ],
    ),
    line(
        "Kysely",
        "kysely",
        &[
            ("seed:run", Else),
            ("seed run", Else),
            ("migrate:rollback", Steps),
            ("migrate rollback", Steps),
            ("migrate:down", Steps),
            ("migrate down", Steps),
            ("migrate:up", Steps),
            ("migrate up", Steps),
            ("migrate:latest", Migrates),
            ("migrate latest", Migrates),
            ("migrate*", Looks),
        ],
    ),
    line(
        "graphile-migrate",
        "graphile-migrate",
        &[
            ("reset", Else),
            ("watch", Else),
            ("run", Else),
            ("commit", Else),
            ("uncommit", Else),
            ("status", Looks),
            ("migrate", Migrates),
        ],
    ),
    line(
        "postgrator",
        "postgrator",
        &[("drop-schema", Else), ("", Migrates)],
    ),
    line(
        "Prisma",
        "prisma",
        &[
            ("migrate dev", Else),
            ("migrate reset", Else),
            ("db push", Else),
            ("db execute", Else),
            ("db seed", Else),
            ("migrate deploy", Migrates),
            ("migrate status", Looks),
            ("migrate resolve", Looks),
            ("migrate diff", Looks),
            ("db pull", Looks),
        ],
    ),
    line(
        "Flyway",
        "flyway",
        &[
            ("clean", Else),
            ("undo", Steps),
            ("migrate", Migrates),
            ("repair", Looks),
            ("baseline", Looks),
            ("info", Looks),
            ("validate", Looks),
        ],
    ),
    line(
        "Liquibase",
        "liquibase",
        &[
            ("drop-all", Else),
            ("dropAll", Else),
            ("rollback*", Steps),
            ("update-count", Steps),
            ("updateCount", Steps),
            ("update-sql", Looks),
            ("updateSQL", Looks),
            ("release-locks", Looks),
            ("releaseLocks", Looks),
            ("status", Looks),
            ("changelog-sync", Looks),
            ("mark-next-changeset-ran", Looks),
            ("update*", Migrates),
        ],
    ),
    line(
        "sqlx",
        "sqlx",
        &[
            ("database reset", Else),
            ("database drop", Else),
            ("migrate revert", Steps),
            ("migrate run", Migrates),
            ("database setup", Migrates),
            ("database create", Looks),
            ("migrate info", Looks),
            ("migrate add", Looks),
        ],
    ),
    line(
        "diesel",
        "diesel",
        &[
            ("database reset", Else),
            ("database drop", Else),
            ("migration redo", Steps),
            ("migration revert", Steps),
            ("migration run", Migrates),
            ("setup", Migrates),
            ("migration list", Looks),
            ("migration pending", Looks),
            ("migration generate", Looks),
        ],
    ),
    line(
        "refinery",
        "refinery",
        &[("migrate", Migrates), ("setup", Looks)],
    ),
    line(
        "goose",
        "goose",
        &[
            ("down", Steps),
            ("down-to", Steps),
            ("redo", Steps),
            ("reset", Steps),
            ("up-by-one", Steps),
            ("up", Migrates),
            ("up-to", Migrates),
            ("status", Looks),
            ("version", Looks),
            ("create", Looks),
            ("fix", Looks),
            ("validate", Looks),
        ],
    ),
    line(
        "dbmate",
        "dbmate",
        &[
            ("drop", Else),
            ("load", Else),
            ("rollback", Steps),
            ("down", Steps),
            ("up", Migrates),
            ("migrate", Migrates),
            ("status", Looks),
            ("create", Looks),
            ("dump", Looks),
            ("new", Looks),
            ("wait", Looks),
        ],
    ),
    line(
        "Atlas",
        "atlas",
        &[
            ("schema apply", Else),
            ("schema clean", Else),
            ("migrate down", Steps),
            ("migrate apply #", Steps),
            ("migrate apply", Migrates),
            ("migrate", Looks),
            ("schema", Looks),
        ],
    ),
    line(
        "tern",
        "tern",
        &[
            ("migrate -d -*", Steps),
            ("migrate -d +*", Steps),
            ("migrate --destination -*", Steps),
            ("migrate --destination +*", Steps),
            ("migrate --destination=-*", Steps),
            ("migrate --destination=+*", Steps),
            ("migrate", Migrates),
            ("status", Looks),
            ("new", Looks),
        ],
    ),
    line(
        "yoyo",
        "yoyo",
        &[
            ("reapply", Else),
            ("develop", Else),
            ("rollback", Steps),
            ("apply", Migrates),
            ("break-lock", Looks),
            ("list", Looks),
            ("mark", Looks),
            ("unmark", Looks),
            ("new", Looks),
        ],
    ),
    line(
        "Sqitch",
        "sqitch",
        &[
            ("rebase", Else),
            ("checkout", Else),
            ("revert", Steps),
            ("deploy", Migrates),
            ("status", Looks),
            ("log", Looks),
            ("verify", Looks),
            ("plan", Looks),
        ],
    ),
    line(
        "pgroll",
        "pgroll",
        &[
            ("start", Else),
            ("complete", Else),
            ("migrate", Else),
            ("rollback", Else),
            ("status", Looks),
            ("init", Looks),
        ],
    ),
    line(
        "Supabase",
        "supabase",
        &[
            ("db reset", Else),
            ("migration down", Else),
            ("db push", Migrates),
            ("migration up", Migrates),
            ("migration", Looks),
            ("db", Looks),
        ],
    ),
    line(
        "sql-migrate",
        "sql-migrate",
        &[
            ("down", Steps),
            ("redo", Steps),
            ("up -limit*", Steps),
            ("up --limit*", Steps),
            ("up", Migrates),
            ("skip", Looks),
            ("status", Looks),
            ("new", Looks),
        ],
    ),
    Line {
        with: &["database"],
        ..line(
            "golang-migrate",
            "migrate",
            &[
                ("drop", Else),
                ("down", Steps),
                ("up #", Steps),
                ("up", Migrates),
                ("goto", Migrates),
                ("force", Looks),
                ("version", Looks),
            ],
        )
    },
];
