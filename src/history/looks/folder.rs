//! The folder of a server's looks.

/// A server's key as the name of a folder.
pub fn folder_name(server: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = server.chars().map(plain).take(100).collect();
    if name.is_empty() { "_".into() } else { name }
}
