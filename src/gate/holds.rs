//! How long the migration would keep others out of relations that exist, and whether that is too long.

use super::allow::Allowed;
use super::behind;
use super::scene::Scene;
use crate::hold;
use crate::model::{
    Allowable, Blocker, Footprint, Held, Hold, Role, StatementVerdict, Wait, WaitKind,
};
use crate::words;

/// Adds to each statement's verdict the locks that it takes and that keep others out; one that is held
/// for too long counts like a wait.
pub fn judge(
    scene: &Scene,
    footprint: &Footprint,
    verdicts: &mut [StatementVerdict],
    allowed: &mut Allowed,
) {
    for hold in hold::of(footprint, &scene.policy.pace) {
        let Some(verdict) = verdicts.get_mut(hold.statement) else {
            continue;
        };
        let over_s = over(scene, &hold).filter(|_| {
            let what = || {
                format!(
                    "holds {} on {} for {}",
                    hold.mode,
                    hold.name,
                    words::guess(hold.time)
                )
            };
            let at = Some(hold.statement);
            !allowed.accepts(Allowable::Hold, at, Some(&hold.name), what)
        });
        if over_s.is_some() {
            verdict.waits.push(wait(&hold));
        }
        let users = behind::users(scene, hold.oid, hold.name.clone(), hold.mode);
        verdict.holds.push(Held {
            hold,
            users,
            over_s,
        });
    }
}

/// The limit, in seconds, where the hold is longer.
fn over(scene: &Scene, hold: &Hold) -> Option<f64> {
    let limit = scene.policy.max_hold?.to_std().ok()?.as_secs_f64();
    (hold.time.expected > limit).then_some(limit)
}

/// In whose way is the migration itself: there is no blocker but it.
fn wait(hold: &Hold) -> Wait {
    Wait {
        oid: Some(hold.oid),
        name: Some(hold.name.clone()),
        object: None,
        mode: Some(hold.mode),
        kind: WaitKind::Hold,
        counts: true,
        blocker: Blocker {
            pid: None,
            gid: None,
            role: Role::Migration,
            application_name: String::new(),
            user: String::new(),
            state: String::new(),
            mode: Some(hold.mode),
            granted: true,
            since: None,
            backend_start: None,
            detail: "this migration".into(),
            advice: String::new(),
        },
        clears: None,
        clears_by: None,
        fails: false,
    }
}
