//! TELL. One file a form, all from the same values.

mod backups;
mod backups_json;
mod backups_text;
mod doctor_json;
mod doctor_text;
mod explain_json;
mod explain_text;
mod gate_findings;
mod gate_github;
mod gate_gitlab;
mod gate_holds;
mod gate_json;
mod gate_junit;
mod gate_markdown;
mod gate_sarif;
mod gate_text;
mod nagios;
mod openmetrics;
pub mod page;
mod status;
mod status_json;
mod status_table;
#[cfg(test)]
mod status_tests;
pub mod status_text;
pub mod status_words;

pub use backups::{BackupsReport, RunningBackup};
pub use backups_json::backups_json;
pub use backups_text::render as backups_text;
pub use doctor_json::doctor_json;
pub use doctor_text::doctor_text;
pub use explain_json::explain_json;
pub use explain_text::explain_text;
pub use gate_findings::{GateView, NOT_ASKED};
pub use gate_github::gate_github;
pub use gate_gitlab::gate_gitlab;
pub use gate_json::{gate_json, gate_value};
pub use gate_junit::gate_junit;
pub use gate_markdown::gate_markdown;
pub use gate_sarif::gate_sarif;
pub use gate_text::gate_text;
pub use nagios::{cleaned, nagios};
pub use openmetrics::{openmetrics, openmetrics_down};
pub use status::{Line as StatusLine, Shown, StatusReport};
pub use status_json::{status_json, status_value};
