//! A real web server in front of the shop.

use crate::common;
use crate::stage::Stage;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// nginx in front of a folder, as docs/run.md configures it.
pub struct Web {
    child: Child,
    port: u16,
}

impl Web {
    pub fn start(stage: &Stage) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/opt/homebrew/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            println!("skipped: nginx is not installed (Debian: apt-get install nginx-light)");
            return None;
        };
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/run.md"))
            .expect("the page");
        let (_, rules) = page.split_once("nginx:\n\n").expect("the rules");
        let (rules, _) = rules.split_once("\n\n").expect("their end");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let home = stage.folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {home}/nginx-{name};\n"))
            .concat();
        let settings = format!(
            "daemon off; pid {home}/nginx.pid; error_log stderr;\nuser root;\nevents {{}}\nhttp {{ access_log off;\n{temporary}\
             server {{ listen 127.0.0.1:{port}; root {home}/public;\n{rules}\n}} }}\n"
        );
        fs::create_dir_all(stage.path("public/system")).expect("made");
        fs::write(stage.path("public/index.html"), "the shop").expect("written");
        let file = stage.file("nginx.conf", &settings);
        let child = Command::new(program)
            .args(["-c", &file])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let web = Self { child, port };
        common::until("nginx answers", || web.get().is_some());
        Some(web)
    }

    /// The process that starts the others.
    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// The status line and all that follows.
    pub fn get(&self) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        socket.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    pub fn until(&self, status: &str, text: &str) {
        common::until(&format!("the web server answers {status} {text}"), || {
            self.get().is_some_and(|answer| {
                answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(text)
            })
        });
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // SIGTERM to the master ends its workers too.
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}
