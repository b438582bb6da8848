SELECT pid AS walsender,
       state,
       application_name,
       host(client_addr)
  FROM pg_stat_replication
