//! The configuration file: the servers to look at, where the history is, when backups start.
//!
//! ```toml
//! history = "postgres://history.example/ops"
//! takes = "30m"
//! max_hold = "10s"
//! tz = "Europe/Berlin"
//!
//! [[target]]
//! name = "primary"
//! url = "postgres://guard@db1/shop"
//!
//! [[allow]]
//! name = "opaque"
//! pattern = "0042_*.sql"
//! because = "Ann has read it"
//!
//! [[backup]]
//! cron = "0 15 * * *"
//! tz = "Europe/Berlin"
//! expect = "5h"
//! ```

use crate::backup::Kind;
use crate::backup::schedule::{self, Line, NextBackup};
use crate::model::{Allowable, Allowance, MaxHold};
use crate::postgres::connect::{is_keyword, shown};
use crate::words::Zone;
use crate::{Error, Result};
use chrono::Utc;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that the file can say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where past backup runs are kept: a file, or a postgres:// URL.
    pub history: Option<String>,
    /// How long a migration takes, where `--takes` does not say it.
    #[serde(with = "humantime_option")]
    pub takes: Option<Duration>,
    /// Longest time that a migration's lock may keep others out, where `--max-hold` does not say it.
    pub max_hold: Option<MaxHold>,
    /// Where the clock is that past backups began by, by its IANA name.
    pub tz: Option<String>,
    /// Report everything, and exit with 0 all the same.
    pub warn_only: bool,
    /// What is let through by name.
    pub allow: Vec<Allow>,
    /// Servers to look at.
    pub target: Vec<Target>,
    /// When backups start.
    pub backup: Vec<BackupWindow>,
}

/// A server to look at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What the report calls it.
    pub name: String,
    /// How to reach it: a URL or `key=value` string, as for `-d`.
    pub url: String,
}

/// What is let through, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// As for `--allow`.
    pub name: Allowable,
    /// Only in files, or on relations, of this name.
    pub pattern: Option<String>,
    /// Why.
    pub because: String,
}

/// When a backup starts, by its scheduler's line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupWindow {
    /// Five fields as in crontab.
    pub cron: String,
    /// The scheduler's time zone, by its IANA name [default: UTC].
    pub tz: Option<String>,
    /// How long it is expected to take, where no past runs tell.
    #[serde(default, with = "humantime_option")]
    pub expect: Option<Duration>,
}

impl Config {
    /// The time zone of past backups' starts; [`read`] has refused one that there is not.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        self.tz.as_ref()?.parse().ok()
    }

    /// What is let through by name.
    pub fn allowed(&self) -> impl Iterator<Item = Allowance> {
        self.allow.iter().map(|allow| Allowance {
            what: allow.name,
            pattern: allow.pattern.clone(),
            because: Some(allow.because.clone()),
            from: "the settings file".into(),
        })
    }

    /// The lines of the backups' scheduler.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.backup
            .iter()
            .map(|window| Line {
                cron: window.cron.clone(),
                tz: window.tz.clone(),
                expect: window.expect,
                from: "the configuration".into(),
                kind: Kind::Logical,
            })
            .collect()
    }
}

impl Target {
    /// Reads a `--target`: `NAME=URL`, or a URL or `key=value` string, which then is its own name.
    #[must_use]
    pub fn from_flag(flag: &str) -> Self {
        let named = flag
            .split_once('=')
            .filter(|(name, _)| !name.contains([':', '/', ' ', '@']) && !is_keyword(name));
        match named {
            Some((name, url)) => Self {
                name: name.into(),
                url: url.into(),
            },
            None => Self {
                name: shown(flag).unwrap_or_else(|| "a server of --target".into()),
                url: flag.into(),
            },
        }
    }
}

/// The name of the settings file that is found by itself.
const NAME: &str = "pgguard.toml";

/// The file that was named, or the one that is found from the working directory upwards; none: nothing said.
///
/// # Errors
/// As [`read`].
pub fn of(named: Option<&Path>) -> Result<Config> {
    if let Some(path) = named {
        return read(path);
    }
    let folder = std::env::current_dir().unwrap_or_default();
    match found(&folder) {
        Some(path) => read(&path),
        None => Ok(Config::default()),
    }
}

/// Looks no further than the folder of the repository: what lies above it is somebody else's.
fn found(folder: &Path) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let path = folder.join(NAME);
        if path.is_file() {
            return Some(path);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, says something that is not known, or a backup's line makes no sense.
pub fn read(path: &Path) -> Result<Config> {
    let file = |why: String| Error::File {
        what: "read",
        path: path.display().to_string(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
    let config: Config =
        toml::from_str(&text).map_err(|error| file(without_text(&error, &text)))?;
    if let (Some(tz), None) = (&config.tz, config.zone()) {
        return Err(file(format!("tz: {}", schedule::no_zone(tz))));
    }
    for line in config.lines() {
        NextBackup::by_line(&line, &[], Utc::now())
            .map_err(|why| file(format!("[[backup]]: {why}")))?;
    }
    Ok(config)
}

/// What is wrong and on which line. The line itself, and strings of it, may hold a password.
fn without_text(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..before]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1;
    let message = error.message();
    let what = match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) => format!("{}…{}", &message[..first], &message[last + 1..]),
        _ => message.to_owned(),
    };
    format!("line {line}: {what}")
}

/// Durations as people write them: `5h`, `90m`.
mod humantime_option {
    use serde::{Deserialize, Deserializer, de::Error};
    use std::time::Duration;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| crate::words::duration(&text).map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_targets_history_and_backups() {
        let config: Config = toml::from_str(
            "history = 'h.sqlite'\ntakes = '30m'\ntz = 'Europe/Berlin'\n\
             [[target]]\nname = 'primary'\nurl = 'postgres://db1/shop'\n\
             [[backup]]\ncron = '0 15 * * *'\ntz = 'Europe/Berlin'\nexpect = '5h'\n",
        )
        .unwrap();
        assert_eq!(config.takes, Some(Duration::from_secs(1800)));
        assert_eq!(config.zone(), "Europe/Berlin".parse().ok());
        assert_eq!(config.target[0].name, "primary");
        assert_eq!(config.backup[0].expect, Some(Duration::from_secs(18_000)));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(toml::from_str::<Config>("histroy = 'x'").is_err());
        assert!(toml::from_str::<Config>("[[backup]]\ncron = 'x'\nexpect = 'soon'").is_err());
    }

    #[test]
    fn a_target_is_named_by_its_flag_and_never_shows_a_password() {
        let named = |flag| Target::from_flag(flag).name;
        assert_eq!(named("blue=postgres://u:secret@db1/shop"), "blue");
        assert_eq!(
            named("postgres://u:secret@db1:5433/shop?sslmode=require"),
            "postgres://u@db1:5433/shop"
        );
        assert_eq!(
            named("host=db1 dbname=shop password=secret"),
            "postgres://db1/shop"
        );
        assert_eq!(named("shop"), "shop");
        for torn in [
            "mysql://u:secret@h/d",
            "u:secret@h/d",
            "postgres://u:secret/x@h",
        ] {
            assert_eq!(named(torn), "a server of --target");
        }
        assert_eq!(
            Target::from_flag("blue=host=db1 dbname=shop").url,
            "host=db1 dbname=shop"
        );
        assert_eq!(
            Target::from_flag("host=db1 dbname=shop").url,
            "host=db1 dbname=shop"
        );
    }
}
