//! Where to connect and as whom: flags, connection string, service, environment and defaults put together.

use super::conninfo::{self, Keywords, Unknown};
use super::endpoint::{Endpoint, endpoints};
use super::environment::Environment;
use super::keyword::{self, Origin};
use super::passfile::{self, Found};
use super::server_options::server_options;
use super::service;
use super::tls::Tls;
use super::wanted::{Wanted, wanted};
use crate::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What our sessions call themselves.
pub const APPLICATION_NAME: &str = "pgguard";

/// What the command line says, as in psql.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `-h`
    pub host: Option<String>,
    /// `-p`
    pub port: Option<u16>,
    /// `-U`
    pub user: Option<String>,
    /// `-d`: a name, a URL or a `key=value` string. What a string says wins over the other flags, as in psql.
    pub dbname: Option<String>,
}

/// Where to connect, as whom and how. Its `Debug` form hides the password.
#[derive(Clone)]
pub struct Target {
    /// The servers, tried in this order.
    pub endpoints: Vec<Endpoint>,
    /// Database
    pub database: String,
    /// Role
    pub user: String,
    /// Which of the servers will do.
    pub wanted: Wanted,
    /// Limit for one server, from `connect_timeout`.
    pub connect_timeout: Option<Duration>,
    password: Option<String>,
    passfile: Option<PathBuf>,
    tls: Tls,
    options: Vec<(String, String)>,
    asked: Vec<(String, String)>,
    libpq: Vec<(&'static str, String)>,
}

impl Target {
    /// The same with further settings for the server to begin the session with.
    #[must_use]
    pub fn with_settings(mut self, settings: &[(&str, String)]) -> Self {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.options.extend(settings);
        self
    }

    /// Puts a target together from flags and this process's environment.
    ///
    /// # Errors
    /// When a value cannot be used. No message holds a password.
    pub fn from_flags(flags: &Flags) -> Result<Self> {
        Self::resolve(flags, &Environment::of_process())
    }

    /// As [`Self::from_flags`], in the given surroundings.
    ///
    /// What is said first wins: flags and `-d`'s string; `DATABASE_URL`, but only where neither `-h`
    /// nor `-d` nor `PGHOST`, `PGHOSTADDR`, `PGDATABASE` or `PGSERVICE` says where to go; the service; the
    /// `PG…` variables; libpq's defaults.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub fn resolve(flags: &Flags, env: &Environment) -> Result<Self> {
        let mut said = Keywords::new();
        under(&mut said, said_by(flags)?, Origin::String)?;
        if let Some(url) = database_url(flags, env)? {
            under(&mut said, url, Origin::DatabaseUrl)?;
        }
        let get = |said: &Keywords, word: &str, variable: &str| {
            said.get(word).cloned().or_else(|| env.get(variable))
        };
        if let Some(name) = get(&said, "service", "PGSERVICE") {
            let file = get(&said, "servicefile", "PGSERVICEFILE");
            conninfo::check_parts(&Keywords::from([("service".to_owned(), name.clone())]))?;
            let defined = service::definition(&name, file.as_deref(), env)?;
            under(&mut said, defined, Origin::Service(&name))?;
        }
        let from_environment = keyword::KEYWORDS
            .iter()
            .filter_map(|k| Some((k.word.to_owned(), env.get(k.variable)?)))
            .collect();
        under(&mut said, from_environment, Origin::Variable)?;
        conninfo::check_parts(&said)?;
        Self::of_keywords(&said, env)
    }

    fn of_keywords(said: &Keywords, env: &Environment) -> Result<Self> {
        let value = |word: &str| said.get(word).filter(|v| !v.is_empty()).cloned();
        let user = value("user").or_else(|| env.user()).ok_or_else(|| {
            Error::unusable("the role's name", "the system's user has no name; give -U")
        })?;
        let endpoints = endpoints(
            value("host").unwrap_or_default().as_str(),
            value("hostaddr").unwrap_or_default().as_str(),
            value("port").unwrap_or_default().as_str(),
        )?;
        let tls = Tls::of(&value, env)?;
        if matches!(tls.mode, PgSslMode::VerifyFull)
            && endpoints
                .iter()
                .any(|e| e.address.is_some() && e.address.as_deref() != Some(&e.host))
        {
            return Err(Error::unusable(
                "connection keyword hostaddr",
                "with sslmode=verify-full the name is needed to connect; leave hostaddr out",
            ));
        }
        // PGOPTIONS goes to the server as it is; only what replaces it is taken apart here.
        let asked = value("options").map(|text| server_options(&text).unwrap_or_default());
        let options = match value("options") {
            Some(text) if env.get("PGOPTIONS").as_deref() != Some(&text) => server_options(&text)?,
            _ => Vec::new(),
        };
        Ok(Self {
            endpoints,
            database: value("dbname").unwrap_or_else(|| user.clone()),
            user,
            wanted: wanted(value("target_session_attrs").as_deref())?,
            connect_timeout: timeout(value("connect_timeout").as_deref())?,
            password: value("password"),
            passfile: value("passfile")
                .map(PathBuf::from)
                .or_else(|| env.home().map(|home| home.join(".pgpass"))),
            tls,
            options,
            asked: asked
                .into_iter()
                .flatten()
                .chain(value("client_encoding").map(|said| ("client_encoding".to_owned(), said)))
                .chain(env.get("PGTZ").map(|said| ("timezone".to_owned(), said)))
                .collect(),
            libpq: keyword::KEYWORDS
                .iter()
                .filter_map(|k| Some((k.variable, value(k.word)?)))
                .collect(),
        })
    }

    /// The same target, another database.
    #[must_use]
    pub fn with_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }

    /// The variables of libpq's environment that lead one of its programs here. A password may be among them.
    #[must_use]
    pub fn libpq(&self) -> Vec<(&'static str, String)> {
        let own = [
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
        ];
        let said = self.libpq.iter().filter(|(name, _)| !name.is_empty());
        said.cloned().chain(own).collect()
    }

    /// The same target with a password, for a caller that asked a person for one.
    #[must_use]
    pub fn with_password(mut self, password: String) -> Self {
        self.password = Some(password);
        self
    }

    /// The TLS modes to try on an endpoint, in order: `allow` and `prefer` are two tries (`fe-connect.c`).
    pub(super) fn modes(&self, endpoint: &Endpoint) -> &'static [PgSslMode] {
        use PgSslMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
        if endpoint.is_socket() {
            return &[Disable];
        }
        match self.tls.mode {
            Disable => &[Disable],
            PgSslMode::Allow => &[Disable, Require],
            Prefer => &[Prefer, Disable],
            Require => &[Require],
            VerifyCa => &[VerifyCa],
            VerifyFull => &[VerifyFull],
        }
    }

    /// Which file of the client's certificate cannot be read, and why.
    pub(super) fn unreadable_certificate(&self) -> Option<String> {
        self.tls.unreadable()
    }

    /// The session's settings that were asked for, by keywords, `PGOPTIONS`, `PGCLIENTENCODING` or `PGTZ`.
    pub(super) fn asked(&self) -> &[(String, String)] {
        &self.asked
    }

    /// The password for an endpoint, and why a password file was left out.
    pub(super) fn password_for(&self, endpoint: &Endpoint) -> (Option<String>, Option<String>) {
        if self.password.is_some() {
            return (self.password.clone(), None);
        }
        let Some(file) = &self.passfile else {
            return (None, None);
        };
        let name = endpoint.passfile_name();
        match passfile::password(file, name, endpoint.port, &self.database, &self.user) {
            Found::Password(password) => (Some(password), None),
            Found::Nothing => (None, None),
            Found::Unusable(why) => (None, Some(why)),
        }
    }

    /// sqlx's form of it for one endpoint.
    pub(super) fn options_for(
        &self,
        endpoint: &Endpoint,
        mode: PgSslMode,
        password: Option<&str>,
    ) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(endpoint.address.as_deref().unwrap_or(&endpoint.host))
            .port(endpoint.port)
            .username(&self.user)
            .database(&self.database)
            .application_name(APPLICATION_NAME)
            // pgbouncer refuses it, and nothing here reads a float in text form.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .ssl_mode(mode);
        if let Some(password) = password {
            options = options.password(password);
        }
        options = match &self.tls.root {
            Some(file) => options.ssl_root_cert(file),
            // Otherwise sqlx reads PGSSLROOTCERT itself, and "system" is no file.
            None => options.ssl_root_cert_from_pem(Vec::new()),
        };
        if let Some((certificate, key)) = &self.tls.certificate {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        if self.options.is_empty() {
            options
        } else {
            options.options(self.options.iter().map(|(name, value)| (name, value)))
        }
    }
}

impl fmt::Display for Target {
    /// `host:port,…/database`, never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if at == 0 { "" } else { "," })?;
        }
        // A socket's path and the database would read as one path.
        let socket = self.endpoints.iter().all(Endpoint::is_socket);
        let between = if socket { " database " } else { "/" };
        write!(f, "{between}{}", self.database)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self} as {})", self.user)
    }
}

/// Fills in what was not said yet, and refuses there what cannot be honoured.
fn under(said: &mut Keywords, more: Keywords, origin: Origin<'_>) -> Result<()> {
    for (word, value) in more {
        if let Entry::Vacant(place) = said.entry(word) {
            keyword::check(place.key(), &value, origin)?;
            place.insert(value);
        }
    }
    Ok(())
}

fn said_by(flags: &Flags) -> Result<Keywords> {
    let mut said = match &flags.dbname {
        Some(text) => conninfo::named(text, Unknown::Refused)?,
        None => Keywords::new(),
    };
    let others = [
        ("host", flags.host.clone()),
        ("port", flags.port.map(|p| p.to_string())),
        ("user", flags.user.clone()),
    ];
    for (word, value) in others {
        if let Some(value) = value {
            said.entry(word.to_owned()).or_insert(value);
        }
    }
    Ok(said)
}

fn database_url(flags: &Flags, env: &Environment) -> Result<Option<Keywords>> {
    let said_elsewhere = flags.host.is_some()
        || flags.dbname.is_some()
        || ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"]
            .iter()
            .any(|name| env.get(name).is_some());
    let Some(url) = env.get("DATABASE_URL").filter(|_| !said_elsewhere) else {
        return Ok(None);
    };
    let url = without_driver(&url);
    let refused = |why: &str| Error::unusable("DATABASE_URL", why);
    if !conninfo::is_conninfo(&url) {
        return Err(refused(
            "it is not a URL of Postgres; name the server with -h and -d, or with a URL after -d",
        ));
    }
    match conninfo::named(&url, Unknown::LeftOut) {
        Ok(keywords) => Ok(Some(keywords)),
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// `postgresql+asyncpg://…` is how SQLAlchemy names a driver, `postgis://…` how GeoDjango names itself.
fn without_driver(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest))
            if scheme == "postgis"
                || scheme.starts_with("postgresql+")
                || scheme.starts_with("postgres+") =>
        {
            format!("postgresql://{rest}")
        }
        _ => url.to_owned(),
    }
}

/// Whole seconds; zero or less means no limit, one is rounded up to two as libpq did for long.
fn timeout(text: Option<&str>) -> Result<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(seconds) => Ok(u64::try_from(seconds)
            .ok()
            .filter(|&s| s > 0)
            .map(|s| Duration::from_secs(s.max(2)))),
        Err(_) => Err(Error::unusable(
            "the value of connect_timeout",
            "it is a whole number of seconds",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flags: &Flags, variables: &[(&str, &str)]) -> Result<Target> {
        Target::resolve(flags, &Environment::new(variables, None, Some("tired")))
    }

    fn shown(dbname: &str, variables: &[(&str, &str)]) -> String {
        let dbname = (!dbname.is_empty()).then(|| dbname.to_owned());
        let flags = Flags {
            dbname,
            ..Flags::default()
        };
        match resolved(&flags, variables) {
            Ok(target) => format!("{} as {}", target, target.user),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_said_first_wins() {
        let url = ("DATABASE_URL", "postgres://app@url:7/shop");
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("host=h",                    &[],                                        "h:5432/tired as tired"),
            ("host=h user=u",             &[],                                        "h:5432/u as u"),
            ("host=h",                    &[("PGUSER", "e"), ("PGDATABASE", "d")],     "h:5432/d as e"),
            ("postgres://u@h:6/d",        &[("PGHOST", "x"), ("PGPORT", "9")],         "h:6/d as u"),
            ("",                          &[url],                                     "url:7/shop as app"),
            ("",                          &[url, ("PGUSER", "e")],                    "url:7/shop as app"),
            ("",                          &[url, ("PGHOST", "x")],                    "x:5432/tired as tired"),
            ("host=h",                    &[url],                                     "h:5432/tired as tired"),
            ("other",                     &[url, ("PGHOST", "x")],                    "x:5432/other as tired"),
            ("host=a,b port=1,2",         &[],                                        "a:1,b:2/tired as tired"),
            ("host=a,b port=1",           &[],                                        "a:1,b:1/tired as tired"),
            ("host=::1",                  &[],                                        "[::1]:5432/tired as tired"),
            ("host=/run/x dbname=d",      &[],                                        "/run/x/.s.PGSQL.5432 database d as tired"),
            ("",                          &[("DATABASE_URL", "postgresql+asyncpg://u:p@h/d?ssl=x&schema=s")], "h:5432/d as u"),
        ];
        for (dbname, variables, expected) in cases {
            assert_eq!(
                &shown(dbname, variables),
                expected,
                "{dbname} {variables:?}"
            );
        }
    }

    #[test]
    fn flags_give_way_to_a_connection_string_as_in_psql() {
        let flags = Flags {
            host: Some("flag".into()),
            port: Some(1),
            user: Some("u".into()),
            dbname: Some("host=string".into()),
        };
        assert_eq!(resolved(&flags, &[]).unwrap().to_string(), "string:1/u");
    }

    #[test]
    fn a_promise_that_cannot_be_kept_is_an_error() {
        for text in [
            "host=h sslmode=always",
            "host=h channel_binding=require",
            "host=h require_auth=scram-sha-256",
            "host=h gssencmode=require",
            "host=h port=x",
            "host=h port=0",
            "host=a,b port=1,2,3",
            "host=h target_session_attrs=best",
            "host=h connect_timeout=soon",
            "host=h sslmode=verify-full sslrootcert=/no/such/file",
            "host=h sslmode=require sslrootcert=system",
            "host=h hostaddr=1.2.3.4 sslmode=verify-full",
            "host=h options=-e",
            "service=none",
        ] {
            let message = shown(text, &[]);
            assert!(message.starts_with("cannot use "), "{text}: {message}");
        }
        let message = shown("", &[("DATABASE_URL", "mysql://u:secret@h/d")]);
        assert!(message.contains("DATABASE_URL"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn the_password_is_never_shown() {
        let flags = Flags {
            dbname: Some("postgres://u:secret@h/d".into()),
            ..Flags::default()
        };
        let target = resolved(&flags, &[]).unwrap();
        assert!(!format!("{target:?} {target}").contains("secret"));
    }
}
