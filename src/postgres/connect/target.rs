//! Where to connect and as whom: flags, connection string, service, environment and defaults put together.

use super::conninfo::{self, Keywords, Unknown};
use super::environment::Environment;
use super::passfile::{self, Found};
use super::{keyword, service, unusable};
use crate::Result;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name, address or socket folder.
    pub host: String,
    /// `hostaddr`: where to connect without looking the name up.
    pub address: Option<String>,
    /// Port
    pub port: u16,
}

impl Endpoint {
    /// Whether it is a unix socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }

    /// The name in a password file: the default socket folder is `localhost` (`fe-connect.c`).
    fn passfile_name(&self) -> &str {
        if SOCKET_FOLDERS.contains(&self.host.as_str()) {
            "localhost"
        } else {
            &self.host
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "{}/.s.PGSQL.{}", self.host, self.port)
        } else if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `target_session_attrs`: which of several servers will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Whichever answers.
    Any,
    /// One that takes writes by default.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is.
    Standby,
    /// A standby, else whichever answers.
    PreferStandby,
}

const WANTED: [(&str, Wanted); 6] = [
    ("any", Wanted::Any),
    ("read-write", Wanted::ReadWrite),
    ("read-only", Wanted::ReadOnly),
    ("primary", Wanted::Primary),
    ("standby", Wanted::Standby),
    ("prefer-standby", Wanted::PreferStandby),
];

impl Wanted {
    /// Whether a server in this state will do.
    #[must_use]
    pub const fn accepts(self, in_recovery: bool, read_only: bool) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !in_recovery && !read_only,
            Self::ReadOnly => in_recovery || read_only,
            Self::Primary => !in_recovery,
            Self::Standby | Self::PreferStandby => in_recovery,
        }
    }

    /// libpq's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        WANTED.iter().find(|w| w.1 == self).map_or("", |w| w.0)
    }
}

/// TLS settings.
#[derive(Debug, Clone)]
struct Tls {
    mode: PgSslMode,
    root: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
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
}

/// Where sockets are: Debian's packages, then the compiled-in default.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl Target {
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
        let mut said = said_by(flags)?;
        if let Some(url) = database_url(flags, env)? {
            under(&mut said, url);
        }
        let get = |said: &Keywords, word: &str, variable: &str| {
            said.get(word).cloned().or_else(|| env.get(variable))
        };
        if let Some(name) = get(&said, "service", "PGSERVICE") {
            let file = get(&said, "servicefile", "PGSERVICEFILE");
            under(&mut said, service::definition(&name, file.as_deref(), env)?);
        }
        let from_environment = keyword::KEYWORDS
            .iter()
            .filter_map(|(word, variable, _)| Some(((*word).to_owned(), env.get(variable)?)))
            .collect();
        under(&mut said, from_environment);
        for (word, value) in &said {
            keyword::check(word, value)?;
        }
        Self::of_keywords(&said, env)
    }

    fn of_keywords(said: &Keywords, env: &Environment) -> Result<Self> {
        let value = |word: &str| said.get(word).filter(|v| !v.is_empty()).cloned();
        let user = value("user")
            .or_else(|| env.user())
            .ok_or_else(|| unusable("the role's name", "the system's user has no name; give -U"))?;
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
            return Err(unusable(
                "connection keyword hostaddr",
                "with sslmode=verify-full the name is needed to connect; leave hostaddr out",
            ));
        }
        // PGOPTIONS goes to the server as it is; only what replaces it is taken apart here.
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
        })
    }

    /// The same target, another database.
    #[must_use]
    pub fn with_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
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
            .application_name(super::APPLICATION_NAME)
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

/// Fills in what was not said yet.
fn under(said: &mut Keywords, more: Keywords) {
    for (word, value) in more {
        said.entry(word).or_insert(value);
    }
}

fn said_by(flags: &Flags) -> Result<Keywords> {
    let mut said = match &flags.dbname {
        Some(text) if conninfo::is_conninfo(text) => conninfo::parse(text, Unknown::Refused)?,
        Some(name) => Keywords::from([("dbname".to_owned(), name.clone())]),
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
    if !conninfo::is_conninfo(&url) || (url.contains("://") && !conninfo::is_url(&url)) {
        return Err(unusable(
            "DATABASE_URL",
            "it is not a URL of Postgres; name the server with -h and -d, or with a URL after -d",
        ));
    }
    conninfo::parse(&url, Unknown::LeftOut).map(Some)
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

/// libpq's three lists: hosts, addresses and ports go together by position; one port serves all.
fn endpoints(hosts: &str, addresses: &str, ports: &str) -> Result<Vec<Endpoint>> {
    let list = |text: &str| -> Vec<String> {
        if text.is_empty() {
            Vec::new()
        } else {
            text.split(',').map(|one| one.trim().to_owned()).collect()
        }
    };
    let (hosts, addresses, ports) = (list(hosts), list(addresses), list(ports));
    let count = hosts.len().max(addresses.len()).max(1);
    let fits = |given: usize, one_for_all: bool| {
        given == 0 || given == count || (one_for_all && given == 1)
    };
    if !fits(hosts.len(), false) || !fits(addresses.len(), false) || !fits(ports.len(), true) {
        return Err(unusable(
            "the list of hosts",
            "as many hosts, addresses and ports are needed of each (one port may serve all)",
        ));
    }
    (0..count)
        .map(|at| {
            let port = port(ports.get(at).or(ports.first()).map_or("", String::as_str))?;
            let address = addresses.get(at).filter(|a| !a.is_empty()).cloned();
            let host = match (hosts.get(at).filter(|h| !h.is_empty()), &address) {
                (Some(host), _) => host.clone(),
                (None, Some(address)) => address.clone(),
                (None, None) => socket_folder(port),
            };
            Ok(Endpoint {
                host,
                address,
                port,
            })
        })
        .collect()
}

fn port(text: &str) -> Result<u16> {
    if text.is_empty() {
        return Ok(5432);
    }
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(unusable(
            &format!("port {text:?}"),
            "a port is a number from 1 to 65535",
        )),
    }
}

/// The folder in which this port's socket is, else the first that exists.
fn socket_folder(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let with = |needle: &str| {
        SOCKET_FOLDERS
            .iter()
            .find(|folder| Path::new(folder).join(needle).exists())
    };
    with(&socket)
        .or_else(|| with(""))
        .map_or("/tmp", |folder| folder)
        .to_owned()
}

fn wanted(text: Option<&str>) -> Result<Wanted> {
    let Some(text) = text else {
        return Ok(Wanted::Any);
    };
    WANTED
        .iter()
        .find(|w| w.0 == text)
        .map(|w| w.1)
        .ok_or_else(|| {
            unusable(
                &format!("target_session_attrs={text}"),
                "use any, read-write, read-only, primary, standby or prefer-standby",
            )
        })
}

/// Whole seconds; zero or less means no limit, one is rounded up to two as libpq did for long.
fn timeout(text: Option<&str>) -> Result<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(seconds) => Ok(u64::try_from(seconds)
            .ok()
            .filter(|&s| s > 0)
            .map(|s| Duration::from_secs(s.max(2)))),
        Err(_) => Err(unusable(
            &format!("connect_timeout={text}"),
            "it is a whole number of seconds",
        )),
    }
}

/// `-c name=value` and `--name=value`, blanks and `\` escaped by `\` (`pg_split_opts`, `postinit.c`).
fn server_options(text: &str) -> Result<Vec<(String, String)>> {
    let bad = || {
        unusable(
            "connection keyword options",
            "only -c name=value and --name=value can be used",
        )
    };
    let mut found = Vec::new();
    let mut words = split_options(text).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c") {
            Some("") => words.next().ok_or_else(bad)?,
            Some(joined) => joined.to_owned(),
            None => word.strip_prefix("--").ok_or_else(bad)?.to_owned(),
        };
        let (name, value) = setting.split_once('=').ok_or_else(bad)?;
        found.push((name.to_owned(), value.to_owned()));
    }
    Ok(found)
}

fn split_options(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(last) = words.last_mut() else { break };
        match c {
            '\\' => last.extend(chars.next()),
            c if c.is_whitespace() => words.push(String::new()),
            c => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

impl Tls {
    fn of(value: &impl Fn(&str) -> Option<String>, env: &Environment) -> Result<Self> {
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
                    return Err(unusable(
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
            return Err(unusable(
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
}

fn mode(text: &str) -> Result<PgSslMode> {
    text.parse().map_err(|_| {
        unusable(
            &format!("sslmode={text}"),
            "use disable, allow, prefer, require, verify-ca or verify-full",
        )
    })
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
    fn options_are_cut_as_the_server_cuts_them() {
        let cut = server_options(r"-c a=b  --d=e\ f -cg=h").unwrap();
        let own = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        assert_eq!(cut, [("a", "b"), ("d", "e f"), ("g", "h")].map(own));
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
