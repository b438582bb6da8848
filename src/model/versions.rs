//! Which versions of Postgres the rules know.
//!
//! To add one: raise the number; let `./dev servers` fetch it (`majors` in `dev`) and run the tests, whose
//! oracles run every form on each server; read the release notes for changed locks. What a version's grammar
//! has and the parser does not yet read is a row of `migration::footprint::newer`.

/// The newest major version that the rules know.
pub const NEWEST_MAJOR: i32 = 18;
