//! The stories behind this tool, with real frameworks, a real pg_dump and a real server.

use crate::common::{self, Dump, Outcome, Project};
use crate::frameworks::Scene;
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
