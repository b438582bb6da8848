//! temporary: until postgres::snapshot is there
use pgguard::model::*;
use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

fn oid(r: &sqlx::postgres::PgRow, i: usize) -> Option<u32> {
    r.get::<Option<i64>, _>(i).map(|x| x as u32)
}

pub async fn look(c: &mut PgConnection) -> Snapshot {
    let r = query("select clock_timestamp(), pg_backend_pid(), (select oid::int8 from pg_database where datname=current_database()), current_setting('server_version_num')::int4, current_database()::text, (select setting::int8 from pg_settings where name='deadlock_timeout')").fetch_one(&mut *c).await.unwrap();
    let own_pid: i32 = r.get(1);
    let datid = oid(&r, 2).unwrap();
    let locks = query("select locktype, database::int8, relation::int8, virtualxid, transactionid::text::int8, pid, virtualtransaction, mode, granted, waitstart, classid::int8, objid::int8, objsubid from pg_locks where locktype in ('relation','virtualxid','transactionid','advisory')").fetch_all(&mut *c).await.unwrap().iter().filter_map(|r| Some(Lock {
        target: match r.get::<&str,_>(0) {
            "relation" => LockTarget::Relation { database: oid(r,1)?, relation: oid(r,2)? },
            "virtualxid" => LockTarget::VirtualXid { virtualxid: r.get(3) },
            "advisory" => LockTarget::Advisory { database: oid(r,1)?, classid: oid(r,10)?, objid: oid(r,11)?, objsubid: r.get(12) },
            _ => LockTarget::TransactionId { transactionid: oid(r,4)? },
        },
        pid: r.get(5), virtualtransaction: r.get(6), mode: LockMode::from_pg_locks(r.get(7))?, granted: r.get(8), waitstart: r.get(9),
    })).collect();
    let backends = query("select pid, datid::int8, usename::text, state, backend_type, backend_start, xact_start, backend_xmin::text::int8, backend_xid::text::int8, query, application_name, wait_event_type, wait_event, leader_pid, state_change, query_start, datname::text, host(client_addr), client_port from pg_stat_activity").fetch_all(&mut *c).await.unwrap().iter().map(|r| { let q: String = r.get::<Option<String>,_>(9).unwrap_or_default(); Backend {
        pid: r.get(0), datid: oid(r,1), usename: r.get(2), state: r.get::<Option<&str>,_>(3).and_then(BackendState::from_text), backend_type: r.get(4), backend_start: r.get(5), xact_start: r.get(6),
        backend_xmin: oid(r,7), backend_xid: oid(r,8), masked: q == "<insufficient privilege>", query: q, application_name: r.get::<Option<String>,_>(10).unwrap_or_default(),
        wait_event_type: r.get(11), wait_event: r.get(12), leader_pid: r.get(13), state_change: r.get(14), query_start: r.get(15), datname: r.get(16), client_addr: r.get(17), client_port: r.get(18), query_truncated: false } }).collect();
    let prepared = query("select transaction::text::int8, gid, prepared, owner::text, database::text from pg_prepared_xacts").fetch_all(&mut *c).await.unwrap().iter().map(|r| PreparedXact { transaction: oid(r,0).unwrap(), gid: r.get(1), prepared: r.get(2), owner: r.get(3), database: r.get(4)}).collect();
    let mut progress: Vec<Progress> =
        query("select pid, datid::int8, relid::int8, phase from pg_stat_progress_vacuum")
            .fetch_all(&mut *c)
            .await
            .unwrap()
            .iter()
            .map(|r| Progress {
                pid: r.get(0),
                datid: oid(r, 1),
                work: Work::Vacuum {
                    relid: oid(r, 2),
                    phase: r.get(3),
                    blocks_total: None,
                    blocks_done: None,
                },
            })
            .collect();
    progress.extend(query("select p.pid, p.datid::int8, p.relid::int8, p.index_relid::int8, p.command, p.phase, p.current_locker_pid::int4, (select i.indexprs is not null or i.indpred is not null from pg_index i where i.indexrelid = p.index_relid) from pg_stat_progress_create_index p").fetch_all(&mut *c).await.unwrap().iter().map(|r| Progress { pid: r.get(0), datid: oid(r,1), work: Work::CreateIndex { relid: oid(r,2), index_relid: oid(r,3), form: r.get(4), phase: r.get(5), current_locker_pid: r.get(6), has_expressions: r.get(7) } }));
    progress.extend(query("select pid, datid::int8, relid::int8, command, type, bytes_processed, tuples_processed from pg_stat_progress_copy").fetch_all(&mut *c).await.unwrap().iter().map(|r| Progress { pid: r.get(0), datid: oid(r,1), work: Work::Copy { relid: oid(r,2), direction: r.get(3), kind: r.get(4), bytes_processed: r.get(5), tuples_processed: r.get(6) } }));
    let relations = query("select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid in (select relation from pg_locks)").fetch_all(&mut *c).await.unwrap().iter().filter_map(|r| Some((oid(r,0)?, LockedRelation { name: RelationName::new(r.get::<String,_>(1), r.get::<String,_>(2)), kind: RelationKind::from_relkind(r.get::<String,_>(3).chars().next()?)?, bytes: 0, tuples: 0.0, is_partition: false }))).collect();
    Snapshot {
        taken_at: r.get(0),
        server: Server {
            version_num: r.get(3),
            own_pid,
            datid,
            datname: r.get(4),
            user: "postgres".into(),
            in_recovery: false,
            sees_all: true,
            deadlock_timeout_ms: r.get(5),
            max_connections: 100,
            settings: Default::default(),
            started_at: None,
            system_identifier: None,
        },
        backends,
        locks,
        prepared,
        progress,
        walsenders: vec![],
        relations,
    }
}
