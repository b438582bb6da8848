//! The door: parse arguments, run one command, exit with its status.

fn main() {}
