//! How sessions would be ended and what it costs, on snapshots made by hand.

use super::{Dossier, Step, dossier};
use crate::model::{Role, Snapshot};
use crate::sessions::{WaitGraph, understand};
use serde_json::{Value, json};

const PID: i32 = 42;

/// A look at one session, and perhaps a row of a progress view.
fn look(backend: &Value, progress: &Value) -> Snapshot {
    let mut row = json!({
        "pid": PID, "datid": 5, "datname": "shop", "usename": "app", "application_name": "web",
        "backend_start": "2026-03-01T01:00:00Z", "xact_start": "2026-03-01T01:30:00Z",
        "state_change": "2026-03-01T01:45:00Z", "state": "active", "query": "SELECT 1",
        "backend_type": "client backend"
    });
    for (key, value) in backend.as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    serde_json::from_value(json!({
        "taken_at": "2026-03-01T02:00:00Z",
        "server": {"version_num": 150_018, "own_pid": 1, "datid": 5, "datname": "shop", "user": "duty",
                   "in_recovery": false, "sees_all": true, "deadlock_timeout_ms": 1000, "pooled": false},
        "backends": [row], "locks": [], "progress": progress
    }))
    .expect("a snapshot")
}

fn of(now: &Snapshot, before: Option<&Snapshot>) -> Dossier {
    let sessions = understand(now);
    let graph = WaitGraph::between_sessions(now, &sessions);
    dossier(PID, now, &sessions, &graph, before).expect("a dossier")
}

#[test]
fn a_cancel_comes_first_only_where_it_can_work() {
    let wraparound = "autovacuum: VACUUM public.orders (to prevent wraparound)";
    let cases = [
        (json!({}), vec![Step::Cancel, Step::Terminate]),
        (
            json!({"state": "idle in transaction"}),
            vec![Step::Terminate],
        ),
        (
            json!({"state": "idle in transaction (aborted)"}),
            vec![Step::Terminate],
        ),
        (json!({"state": "idle"}), vec![Step::Terminate]),
        (
            json!({"backend_type": "autovacuum worker", "query": wraparound, "usename": null}),
            vec![Step::Cancel],
        ),
        (json!({"backend_type": "walsender"}), vec![Step::Terminate]),
        (
            json!({"backend_type": "checkpointer", "state": null}),
            vec![],
        ),
    ];
    for (backend, steps) in cases {
        let dossier = of(&look(&backend, &json!([])), None);
        assert_eq!(dossier.steps, steps, "{backend}");
        assert_eq!(dossier.refused.is_some(), steps.is_empty(), "{backend}");
    }
}

#[test]
fn a_copy_that_moved_between_two_looks_is_not_stalled() {
    let copy = |bytes: i64| {
        let waits = json!({"query": "COPY orders TO stdout", "wait_event_type": "Client", "wait_event": "ClientWrite"});
        let row = json!([{"pid": PID, "datid": 5, "command": "copy", "relid": 7, "direction": "COPY TO",
                          "kind": "PIPE", "bytes_processed": bytes, "tuples_processed": 1}]);
        look(&waits, &row)
    };
    let stalled = of(&copy(10), Some(&copy(10)));
    assert_eq!(stalled.steps, [Step::Terminate]);
    let moving = of(&copy(11), Some(&copy(10)));
    assert_eq!(moving.steps, [Step::Cancel, Step::Terminate]);
}

#[test]
fn every_loss_is_said() {
    let wraparound = "autovacuum: VACUUM public.orders (to prevent wraparound)";
    let building = json!([{"pid": PID, "datid": 5, "command": "create_index", "relid": 7, "index_relid": 8,
                           "form": "CREATE INDEX CONCURRENTLY", "phase": "waiting for old snapshots",
                           "current_locker_pid": 9}]);
    let cases = [
        (
            json!({"backend_type": "autovacuum worker", "query": wraparound, "usename": null}),
            json!([]),
            "comes straight back",
        ),
        (
            json!({"query": "CREATE INDEX CONCURRENTLY i ON orders (id)"}),
            building,
            "leaves an invalid index",
        ),
        (
            json!({"backend_xid": 771}),
            json!([]),
            "what it wrote in up to 30 min is rolled back",
        ),
        (
            json!({"state": "idle in transaction"}),
            json!([]),
            "finds the connection closed",
        ),
        (
            json!({"backend_type": "walsender"}),
            json!([]),
            "falls behind",
        ),
        (json!({"state": "idle"}), json!([]), "loses the connection"),
    ];
    for (backend, progress, said) in cases {
        let costs = of(&look(&backend, &progress), None).costs;
        let found = costs.iter().any(|cost| cost.contains(said));
        assert!(found, "{said} in {costs:?}");
    }
}

#[test]
fn a_row_that_does_not_say_when_it_began_is_refused_with_the_grant() {
    let hidden = json!({"backend_start": null, "masked": true, "state": null});
    let refused = of(&look(&hidden, &json!([])), None)
        .refused
        .expect("a reason");
    assert!(refused.contains("GRANT pg_monitor TO duty"), "{refused}");
}

#[test]
fn a_replication_session_is_not_ended_by_reflex() {
    let dossier = of(
        &look(&json!({"backend_type": "walsender"}), &json!([])),
        None,
    );
    assert_eq!(dossier.role, Role::Replication);
    assert!(!dossier.confirmation.accepts("y"));
    assert!(dossier.confirmation.accepts("end replication 42"));
}
