//! The front door.

fn main() -> std::process::ExitCode {
    pgguard::main()
}
