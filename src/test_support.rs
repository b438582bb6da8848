//! What pgguard's own tests and measurements reach into. It may change with every version: nobody else should use it.

#![allow(missing_docs, reason = "each item is documented where it is made")]

pub mod backup {
    pub use crate::backup::{End, Similar, TableSeen, Watcher, key_of};
}

pub mod check {
    pub use crate::check::Range;
}

pub mod cli {
    pub use crate::cli::Cli;
}

pub mod commands {
    pub use crate::commands::block_on;
}

pub mod config {
    pub use crate::config::read;
}

pub mod gate {
    pub use crate::gate::{FirstLook, Policy, before_backup, decide, needs_second_look, strictest};
}

pub mod history {
    pub use crate::history::{Document, Filter, History, Place, SignalNote, Watch, WhichRuns};
}

pub mod hold {
    pub use crate::hold::{Pace, of, seen};
}

pub mod migration {
    pub mod depth {
        pub use crate::migration::depth::with_room;
    }

    pub mod footprint {
        pub use crate::migration::footprint::{of, reach};
    }

    pub mod settings {
        pub use crate::migration::settings::{identifiers, milliseconds};
    }

    pub mod source {
        pub use crate::migration::source::{ReadOptions, Source, read, sources};
    }

    pub mod split {
        pub use crate::migration::split::reads_stdin;
    }

    pub mod statement {
        pub use crate::migration::statement::{
            Body, Script, SourceStatement, TransactionHabit, settings_before_the_last, statements,
            statements_in,
        };
    }
}

pub mod postgres {
    pub mod applied {
        pub use crate::postgres::applied::only_pending;
    }

    pub mod catalog {
        pub use crate::postgres::catalog::load;
    }

    pub mod connect {
        pub use crate::postgres::connect::{
            Connection, Environment, Flags, Target, limits_that_keep_the_path,
        };
    }

    pub mod signal {
        pub use crate::postgres::signal::{Sent, Signal, signal};
    }

    pub mod snapshot {
        pub use crate::postgres::snapshot::{changed_rows, look};
    }

    pub mod tables {
        pub use crate::postgres::tables::facts;
    }
}

pub mod recording {
    pub use crate::recording::Recording;
}

pub mod report {
    pub use crate::report::{
        GateView, explain_json, explain_text, gate_github, gate_gitlab, gate_json, gate_junit,
        gate_markdown, gate_sarif, gate_text,
    };
    pub mod page {
        pub use crate::report::page::Page;
    }
}

pub mod sessions {
    pub use crate::sessions::{Party, Sessions, WaitGraph, understand};
    pub mod waits {
        pub use crate::sessions::waits::Node;
    }
}

pub mod throwaway {
    pub use crate::throwaway::{Binaries, Options, Server};
}

pub mod tools {
    pub use crate::tools::{Tool, crc32};
}
