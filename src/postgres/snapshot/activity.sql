-- The bytes of every database come as they are (client_encoding SQL_ASCII), with the name of their
-- encoding beside them.
SELECT s.pid AS activity,
       s.leader_pid,
       s.datid,
       s.datname,
       s.usename,
       s.application_name,
       host(s.client_addr),
       s.client_port,
       s.backend_start,
       s.xact_start,
       s.query_start,
       s.state_change,
       s.wait_event_type,
       s.wait_event,
       s.state,
       s.backend_xid,
       s.backend_xmin,
       s.backend_type,
       pg_encoding_to_char(d.encoding),
       s.query
  FROM pg_stat_activity s
  LEFT JOIN pg_database d ON d.oid = s.datid
