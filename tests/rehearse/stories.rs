//! The stories behind this tool, with real frameworks, a real pg_dump and a real server.

use crate::common::{self, Dump, Outcome, Project};
use crate::frameworks::Scene;
use crate::production::Production;
use tempfile::TempDir;

/// A shop whose backup runs each night, while a monitoring system looks at it.
struct Night {
    scene: Scene,
    history: TempDir,
}

impl Night {
    fn of(project: &Project) -> Self {
        let scene = Scene::on(common::majors()[0], project, "one");
        // Without it another user's session is hidden, and how far its backup is.
        scene.production.shop.sql("GRANT pg_monitor TO deploy");
        Self {
            scene,
            history: tempfile::tempdir().expect("a folder"),
        }
    }

    fn history(&self) -> String {
        format!("--history={}/history", self.history.path().display())
    }

    fn status(&self) -> Outcome {
        let url = self.scene.production.shop.url();
        common::pgguard(["status", "-d", &url, &self.history()])
    }

    /// A backup that ends.
    fn passes(&self) {
        let mut dump = Dump::stalled(&self.scene.production.shop);
        self.status();
        assert!(dump.finish().success());
        let gone = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {}",
            dump.pid()
        );
        common::until("the backup's session has ended", || {
            self.scene.production.shop.sql(&gone) == "0"
        });
        self.status();
    }

    fn gate(&self) -> Outcome {
        let history = self.history();
        let flags = ["--patience", "0s", &history];
        self.scene
            .pgguard(&[&["gate"], &flags[..], &["--rehearse"]].concat())
    }
}

/// The deploy that hung: the nightly pg_dump had `orders` locked, the migration waited for it, everybody waited for the
/// migration. Here the gate is asked first.
fn the_deploy_that_would_have_hung(name: &str) {
    let Some(project) = common::project(name) else {
        return;
    };
    // For two nights the backup ran to its end.
    let night = Night::of(project);
    night.passes();
    night.passes();

    // In the third its reader stalls. In the morning somebody deploys: the command that migrates is rehearsed, and the
    // gate says which of its statements would wait, for whom, and until when.
    let mut dump = Dump::stalled(&night.scene.production.shop);
    let blocked = night.gate();
    assert_eq!(blocked.status, 1, "{name}: {blocked}");
    let said = blocked.stdout.to_lowercase().replace('"', "");
    for part in [
        "would block",
        "alter table orders add",
        "needs access exclusive on public.orders",
        "backup (pg_dump",
        "clears",
        "2 past runs",
    ] {
        assert!(said.contains(part), "{name}: no {part} in {blocked}");
    }
    assert!(said.contains(&format!("pid {}", dump.pid())), "{blocked}");

    // Nothing was migrated, and nobody waits.
    night.scene.production.is_untouched();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(night.scene.production.shop.sql(waiting), "0");
    assert!(dump.is_running());

    // The backup ends, the gate opens, and the deploy goes through.
    assert!(dump.finish().success());
    let clear = night.gate();
    assert_eq!(clear.status, 0, "{name}: {clear}");
    let migrated = night.scene.migrate();
    assert_eq!(migrated.status, 0, "{name}: {migrated}");
    assert!(night.scene.production.has_column("total"), "{name}");
}

#[test]
fn the_rails_deploy_that_would_have_hung_waits_for_the_backup_and_goes_through() {
    the_deploy_that_would_have_hung("rails");
}

#[test]
fn the_django_deploy_that_would_have_hung_waits_for_the_backup_and_goes_through() {
    the_deploy_that_would_have_hung("django");
}

/// `run --rehearse`: rehearses, asks, and migrates.
#[test]
fn a_run_rehearses_a_project_and_migrates_it() {
    for name in ["django", "dbmate"] {
        let Some(project) = common::project(name) else {
            continue;
        };
        let scene = Scene::on(common::majors()[0], project, "all");
        let clear = scene.pgguard(&["gate", "--max-hold", "none", "--rehearse"]);
        assert_eq!(clear.status, 0, "{name}: {clear}");
        scene.production.is_untouched();
        let done = scene.pgguard(&["run", "--max-hold", "none", "--rehearse"]);
        assert_eq!(done.status, 0, "{name}: {done}");
        assert!(scene.production.has_column("priority"), "{name}: {done}");
        let again = scene.pgguard(&["rehearse"]);
        assert!(
            again.stderr.contains("no migration is pending"),
            "{name}: {again}"
        );
    }
}

/// A pull request's job. It cannot reach production: it has the file that a trusted job writes each night, and a
/// database of its own with the schema of the deployed revision.
#[test]
fn a_pull_request_with_a_rails_migration_is_judged_without_production() {
    let Some(project) = common::project("rails") else {
        return;
    };
    // At night, where production can be reached.
    let production = Production::on(common::majors()[0]);
    production.shop.sql("GRANT pg_monitor TO deploy");
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = folder.path().join("catalog.json");
    let catalog = catalog.to_str().expect("UTF-8");
    let kept = common::pgguard(["catalog", "-d", &production.url(), "-o", catalog]);
    assert_eq!(kept.status, 0, "{kept}");

    // In the job: the same schema without a row, at an address that only this job has.
    let scene = Scene::on(common::majors()[0], project, "all");
    scene
        .production
        .shop
        .sql("TRUNCATE customers, products CASCADE");
    let pending = folder.path().join("pending.sql");
    let pending = pending.to_str().expect("UTF-8");
    let rehearsed = scene.pgguard(&["rehearse", "-o", pending]);
    assert_eq!(rehearsed.status, 0, "{rehearsed}");
    // Production is gone, as far as the job sees.
    let judged = common::pgguard(["gate", "--catalog", catalog, "--format", "json", pending]);
    assert_eq!(judged.status, 0, "{judged}");
    let judged = judged.json();
    assert_eq!(judged["live"], false, "{judged}");
    let locks = common::pgguard(["explain", "--catalog", catalog, pending]);
    let said = locks.stdout.to_lowercase().replace('"', "");
    for part in [
        "alter table order_items alter column quantity type bigint",
        "access exclusive",
        "create index concurrently",
    ] {
        assert!(said.contains(part), "no {part} in {locks}");
    }
    production.is_untouched();
}
