//! How the connection is encrypted: `sslmode`, the certificates, and what of them libpq checks.

use super::environment::Environment;
use crate::{Error, Result};
use sqlx::postgres::PgSslMode;
use std::path::PathBuf;

/// TLS settings.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `sslmode`, after what a root certificate makes of it.
    pub mode: PgSslMode,
    /// The authority's certificate.
    pub root: Option<PathBuf>,
    /// The client's certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Reads the keywords and the files in `~/.postgresql`.
    ///
    /// # Errors
    /// A value or file that cannot be used.
    pub fn of(value: &impl Fn(&str) -> Option<String>, env: &Environment) -> Result<Self> {
        let asked = value("sslmode");
        let mut mode = mode(asked.as_deref().unwrap_or("prefer"))?;
        let folder = env.home().map(|home| home.join(".postgresql"));
        let default = |name: &str| {
            folder
                .as_ref()
                .map(|f| f.join(name))
                .filter(|file| file.exists())
        };
        let root = match value("sslrootcert").as_deref() {
            Some("system") => {
                if asked.as_deref().is_some_and(|m| m != "verify-full") {
                    return Err(Error::unusable(
                        "sslrootcert=system",
                        "it needs sslmode=verify-full; set that or leave sslmode out",
                    ));
                }
                mode = PgSslMode::VerifyFull;
                None
            }
            Some(file) => Some(PathBuf::from(file)),
            None => default("root.crt"),
        };
        let root_is_there = root.as_ref().is_some_and(|file| file.exists());
        // "If a root CA file exists, the behavior of sslmode=require will be the same as that of verify-ca".
        if matches!(mode, PgSslMode::Require) && root_is_there {
            mode = PgSslMode::VerifyCa;
        }
        let verifies = matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull);
        if let Some(file) = root.as_ref().filter(|_| verifies && !root_is_there) {
            return Err(Error::unusable(
                &format!("root certificate file {}", file.display()),
                "there is no such file; set sslrootcert, or sslrootcert=system",
            ));
        }
        let certificate = match value("sslcertmode").as_deref() {
            Some("disable") => None,
            _ => value("sslcert")
                .map(PathBuf::from)
                .or_else(|| default("postgresql.crt"))
                .zip(
                    value("sslkey")
                        .map(PathBuf::from)
                        .or_else(|| default("postgresql.key")),
                ),
        };
        Ok(Self {
            mode,
            root: root.filter(|_| root_is_there),
            certificate,
        })
    }

    /// Which file of the client's certificate cannot be read, and why.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        let (certificate, key) = self.certificate.as_ref()?;
        [("sslcert", certificate), ("sslkey", key)]
            .into_iter()
            .find_map(|(word, file)| {
                let error = std::fs::File::open(file).err()?;
                Some(format!("{word} {}: {error}", file.display()))
            })
    }
}

fn mode(text: &str) -> Result<PgSslMode> {
    text.parse().map_err(|_| {
        Error::unusable(
            "the value of sslmode",
            "use disable, allow, prefer, require, verify-ca or verify-full",
        )
    })
}
