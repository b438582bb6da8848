//! Where the program may write: Landlock, which holds for it and for all that it starts
//! (<https://docs.kernel.org/userspace-api/landlock.html>).

use super::plan::Plan;
use landlock::{
    ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    path_beneath_rules,
};
use std::path::PathBuf;

/// From here on nothing is written but beneath the plan's folders. A kernel without Landlock leaves it open, unless the
/// network is open, too.
pub fn confine(plan: &Plan) -> Result<(), String> {
    if plan.writable.is_empty() {
        return Ok(());
    }
    match restricted(&plan.writable) {
        Ok(RulesetStatus::NotEnforced) if !plan.network.is_empty() => {
            Err("with --network the command may write only in some folders, and this kernel has no Landlock for \
                 that (Linux 5.13 and later, switched on by lsm=landlock)"
                .into())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("where it writes cannot be confined: {error}")),
    }
}

fn restricted(folders: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    // Later versions have no further right to write.
    let writes = AccessFs::from_write(ABI::V3);
    let status = Ruleset::default()
        .handle_access(writes)?
        .create()?
        .add_rules(path_beneath_rules(folders, writes))?
        .restrict_self()?;
    Ok(status.ruleset)
}
