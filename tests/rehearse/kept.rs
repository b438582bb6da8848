//! The copy that the cache keeps with a schema in it: taken where it is production's, made again where it is not.

use crate::common::{self, Outcome};
use crate::production::Production;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use tempfile::TempDir;

/// A cache of its own, and a command that wants to see a comment before it migrates.
struct Cached {
    production: Production,
    cache: TempDir,
}

impl Cached {
    fn on(major: u32) -> Self {
        let cache = tempfile::tempdir_in("/tmp").expect("a folder");
        fs::set_permissions(cache.path(), Permissions::from_mode(0o755)).expect("ours");
        let production = Production::on(major);
        production.shop.sql("COMMENT ON TABLE orders IS 'one'");
        Self { production, cache }
    }

    fn rehearse(&self, comment: &str) -> Outcome {
        let url = self.production.url();
        let script = format!(
            "c=$(psql -X -At '{url}' -c \"SELECT obj_description('orders'::regclass)\") && test \"$c\" = '{comment}' && \
             psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN total int'"
        );
        let mut command = self
            .production
            .command(&["rehearse", "-d", &url, "--", "sh", "-c", &script]);
        let postgres = self.production.shop.server.bin("postgres");
        command
            .env("PGGUARD_CACHE", self.cache.path())
            .env("PGGUARD_PG_BIN", postgres.parent().expect("a folder"))
            .current_dir(self.cache.path());
        let told = common::run_with_input(command, "");
        assert_eq!(told.status, 0, "{told}");
        assert!(
            told.stdout.contains(
                "-- pgguard: measured ACCESS EXCLUSIVE on public.orders\nALTER TABLE orders ADD COLUMN total int;"
            ),
            "{told}"
        );
        told
    }

    /// Where they are.
    fn kept(&self) -> Vec<PathBuf> {
        let inside = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).expect("a folder");
            entries.map(|entry| entry.expect("there").path()).collect()
        };
        let accounts = inside(&self.cache.path().join("templates"));
        let all = accounts.iter().flat_map(|account| {
            let mode = fs::metadata(account).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "others may read a schema");
            inside(account)
        });
        all.filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("loaded-"))
        })
        .collect()
    }

    /// The only one, and when it was made.
    fn one(&self) -> (PathBuf, SystemTime) {
        let kept = self.kept();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let made = fs::metadata(kept[0].join("loaded")).and_then(|found| found.modified());
        (kept[0].clone(), made.expect("a time"))
    }
}

#[test]
fn a_copy_is_kept_until_the_schema_is_another() {
    for major in common::majors() {
        let cached = Cached::on(major);
        let first = cached.rehearse("one");
        let made = cached.one();
        let second = cached.rehearse("one");
        assert_eq!(first.stdout, second.stdout, "{major}");
        assert_eq!(cached.one(), made, "{major}: it was not taken");
        // What the fingerprint, by which it is found, does not see.
        cached
            .production
            .shop
            .sql("COMMENT ON TABLE orders IS 'two'");
        cached.rehearse("two");
        assert_ne!(cached.one(), made, "{major}: it is old");
    }
}

#[test]
fn a_damaged_copy_is_made_again() {
    let cached = Cached::on(common::majors()[0]);
    cached.rehearse("one");
    for sums in [
        "",
        "&& find . -type f -exec cksum {} + | LC_ALL=C sort >../sums",
    ] {
        let (kept, made) = cached.one();
        let script = format!("cd \"$1/data\" && echo damaged >global/pg_control {sums}");
        let damaged = Command::new("/bin/sh")
            .args(["-c", &script, "sh"])
            .arg(&kept)
            .status();
        assert!(damaged.expect("a shell").success());
        cached.rehearse("one");
        // One that does not even start is gone, and comes back with the next.
        cached.rehearse("one");
        assert_ne!(cached.one().1, made, "{sums}");
    }
}

#[test]
fn the_cache_keeps_the_few_that_were_used_last() {
    let cached = Cached::on(common::majors()[0]);
    cached.rehearse("one");
    let (kept, _) = cached.one();
    for number in 0..6 {
        fs::create_dir(kept.with_file_name(format!("loaded-{number}"))).expect("ours");
    }
    cached
        .production
        .shop
        .sql("ALTER TABLE orders ADD COLUMN more int");
    cached.rehearse("one");
    assert_eq!(cached.kept().len(), 4);
}
