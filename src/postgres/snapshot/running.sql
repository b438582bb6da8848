-- Which of the progress views have rows. Each view costs more to plan than this, and most have none.
SELECT replace(lower(command), ' ', '_') AS running
  FROM unnest('{COPY,VACUUM,ANALYZE,CREATE INDEX,CLUSTER,BASEBACKUP}'::text[]) AS command
 WHERE EXISTS (SELECT FROM pg_stat_get_progress_info(command))
