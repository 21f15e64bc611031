-- migrate:up
-- Aggregates that are too heavy to compute on each request. Each has a unique index, so that it can be refreshed while it is read.
CREATE MATERIALIZED VIEW user_portfolio_summary AS
SELECT u.id                                                       AS user_id,
       count(h.id)                                                AS holdings_count,
       coalesce(sum(h.value_usd), 0)                              AS total_value_usd,
       sum(h.value_usd * h.apy) / nullif(sum(h.value_usd) FILTER (WHERE h.apy IS NOT NULL), 0) AS weighted_apy,
       count(h.id) FILTER (WHERE h.value_usd IS NULL)             AS unpriced_holdings,
       count(DISTINCT h.protocol_id)                              AS protocols_count,
       max(h.updated_at)                                          AS last_change_at
  FROM users u
  LEFT JOIN portfolio_holdings h ON h.user_id = u.id
 GROUP BY u.id;
CREATE UNIQUE INDEX user_portfolio_summary_key ON user_portfolio_summary (user_id);
CREATE INDEX user_portfolio_summary_value_idx ON user_portfolio_summary (total_value_usd DESC);

CREATE MATERIALIZED VIEW protocol_activity_daily AS
SELECT t.protocol_id,
       (t.block_timestamp AT TIME ZONE 'UTC')::date               AS day,
       t.type,
       count(*)                                                   AS transactions,
       count(DISTINCT t.user_id)                                  AS users,
       coalesce(sum(t.value_usd), 0)                              AS volume_usd
  FROM transaction_history t
 WHERE t.protocol_id IS NOT NULL
   AND t.status = 'confirmed'
   AND t.block_timestamp >= now() - interval '90 days'
 GROUP BY 1, 2, 3;
CREATE UNIQUE INDEX protocol_activity_daily_key ON protocol_activity_daily (protocol_id, day, type);
CREATE INDEX protocol_activity_daily_day_idx ON protocol_activity_daily (day);

CREATE FUNCTION refresh_summaries() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    REFRESH MATERIALIZED VIEW CONCURRENTLY user_portfolio_summary;
    REFRESH MATERIALIZED VIEW CONCURRENTLY protocol_activity_daily;
END
$$;

COMMENT ON MATERIALIZED VIEW user_portfolio_summary IS 'Value, yield and size of each portfolio, as of the last refresh_summaries()';
COMMENT ON MATERIALIZED VIEW protocol_activity_daily IS 'Confirmed activity by protocol, UTC day and type over the last 90 days';
COMMENT ON FUNCTION refresh_summaries() IS 'Brings both materialized views up to date without blocking their readers';

-- migrate:down
DROP FUNCTION refresh_summaries();
DROP MATERIALIZED VIEW protocol_activity_daily;
DROP MATERIALIZED VIEW user_portfolio_summary;
