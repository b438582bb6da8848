//! The connection service file: `[name]` and `key=value` lines (`parseServiceFile`, `fe-connect.c`).

use super::conninfo::Keywords;
use super::environment::Environment;
use super::keyword;
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where packagers put the system-wide file; libpq has one such folder compiled in (`pg_config --sysconfdir`).
const SYSTEM_FOLDERS: &[&str] = &[
    "/etc/postgresql-common",
    "/etc/sysconfig/pgsql",
    "/usr/local/etc/postgresql",
    "/opt/homebrew/etc/postgresql",
];

/// The keywords of a service.
///
/// # Errors
/// When no file defines it, or the one that does is damaged.
pub fn definition(name: &str, file: Option<&str>, env: &Environment) -> Result<Keywords> {
    for file in files(file, env) {
        let Ok(text) = fs::read(&file) else { continue };
        if let Some(keywords) = section(&String::from_utf8_lossy(&text), name, &file)? {
            return Ok(keywords);
        }
    }
    Err(Error::unusable(
        &format!("service {name:?}"),
        "no service file defines it; set PGSERVICEFILE, or add it to ~/.pg_service.conf",
    ))
}

fn files(explicit: Option<&str>, env: &Environment) -> Vec<PathBuf> {
    let mut files = Vec::new();
    match explicit {
        Some(file) => files.push(PathBuf::from(file)),
        None => files.extend(env.home().map(|home| home.join(".pg_service.conf"))),
    }
    match env.get("PGSYSCONFDIR") {
        Some(folder) => files.push(Path::new(&folder).join("pg_service.conf")),
        None => files.extend(
            SYSTEM_FOLDERS
                .iter()
                .map(|folder| Path::new(folder).join("pg_service.conf")),
        ),
    }
    files
}

fn section(text: &str, name: &str, file: &Path) -> Result<Option<Keywords>> {
    let damaged = |line: usize, why: &str| {
        Err(Error::unusable(
            &format!("service file {}, line {line}", file.display()),
            why,
        ))
    };
    let mut found: Option<Keywords> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(heading) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if heading.strip_suffix(']') == Some(name) {
                found = Some(Keywords::new());
            }
            continue;
        }
        let Some(keywords) = &mut found else { continue };
        // libpq asks the LDAP server, and reads the other lines only where it does not answer
        // (`ldapServiceLookup`, `fe-connect.c`): those may lead elsewhere.
        if line.starts_with("ldap") {
            return damaged(
                number + 1,
                "pgguard does not ask LDAP; write host, port and dbname into the service, or name the server with -h and -d",
            );
        }
        let Some((key, value)) = line.split_once('=') else {
            return damaged(number + 1, "it has no \"=\"; write key=value");
        };
        if matches!(key, "service" | "servicefile") {
            return damaged(number + 1, "a service cannot name another; write it out");
        }
        if keyword::treatment(key).is_none() {
            return damaged(
                number + 1,
                "libpq has no such keyword; mind blanks before \"=\"",
            );
        }
        // The first one wins, as in libpq.
        keywords
            .entry(key.to_owned())
            .or_insert_with(|| value.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_own_section_and_no_other() {
        let text = "# all\n[a]\nhost=one\nhost=two\nport=1\n\n[b]\nhost=three\n[a]\nuser=x\n";
        let a = section(text, "a", Path::new("f")).unwrap().unwrap();
        assert_eq!(
            a.into_iter().collect::<Vec<_>>(),
            [("host".into(), "one".into()), ("port".into(), "1".into())]
        );
        assert_eq!(section(text, "c", Path::new("f")).unwrap(), None);
    }

    #[test]
    fn a_damaged_service_is_an_error_with_its_line() {
        for body in ["host", "service=b", "nosuchword=1"] {
            let text = format!("[a]\n{body}\n");
            let message = section(&text, "a", Path::new("f")).unwrap_err().to_string();
            assert!(message.contains("line 2"), "{message}");
        }
    }
}
