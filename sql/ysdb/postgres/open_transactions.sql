-- Transactions under way that have an id, the oldest first: a new slot waits until they have ended, and the log is kept for them. Of all databases.
SELECT prepared, here, what, mend, seconds FROM (
    SELECT true AS prepared, database = current_database() AS here, format('prepared transaction %L of database %I', gid, database) AS what,
        format('in that database: COMMIT PREPARED %1$L, or ROLLBACK PREPARED %1$L', gid) AS mend, extract(epoch FROM clock_timestamp() - prepared)::bigint AS seconds, age(transaction) AS behind
    FROM pg_prepared_xacts
    UNION ALL
    SELECT false, datname = current_database(), format('the transaction of session %s%s', pid, coalesce(' (' || nullif(application_name, '') || ')', '')),
        format('end it there, or: SELECT pg_terminate_backend(%s)', pid), coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::bigint, age(backend_xid)
    FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
) open ORDER BY behind DESC, prepared DESC
