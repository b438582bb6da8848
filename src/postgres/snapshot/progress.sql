SELECT pid AS copy, datid, relid, command, type, bytes_processed, tuples_processed, bytes_total
  FROM pg_stat_progress_copy;
SELECT pid AS vacuum, datid, relid, phase, heap_blks_total, heap_blks_scanned, heap_blks_vacuumed
  FROM pg_stat_progress_vacuum;
SELECT pid AS analyze, datid, relid, phase, sample_blks_total, sample_blks_scanned, child_tables_total, child_tables_done
  FROM pg_stat_progress_analyze;
SELECT p.pid AS create_index, p.datid, p.relid, p.index_relid, p.command, p.phase, p.current_locker_pid,
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL,
       p.lockers_total, p.lockers_done, p.blocks_total, p.blocks_done, p.tuples_total, p.tuples_done
  FROM pg_stat_progress_create_index p
  LEFT JOIN pg_index i ON i.indexrelid = p.index_relid AND p.datid = $datid;
SELECT p.pid AS cluster, p.datid, p.relid, p.command, p.phase, p.heap_blks_total, p.heap_blks_scanned,
       p.heap_tuples_scanned, p.heap_tuples_written, c.reltuples::int8,
       p.index_rebuild_count, (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)
  FROM pg_stat_progress_cluster p
  LEFT JOIN pg_class c ON c.oid = p.relid AND p.datid = $datid;
SELECT pid AS basebackup, phase, backup_total, backup_streamed
  FROM pg_stat_progress_basebackup
