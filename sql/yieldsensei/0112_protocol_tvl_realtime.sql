-- migrate:up store:analytics transaction:false
CREATE TABLE protocol_tvl_hourly_states
(
    protocol_id  LowCardinality(String),
    chain        LowCardinality(String),
    hour         DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    category     SimpleAggregateFunction(anyLast, LowCardinality(String)),
    tvl_usd      AggregateFunction(argMax, Decimal(18, 2), DateTime64(3, 'UTC')),
    lowest_usd   SimpleAggregateFunction(min, Decimal(18, 2)) CODEC(Delta, ZSTD(3)),
    highest_usd  SimpleAggregateFunction(max, Decimal(18, 2)) CODEC(Delta, ZSTD(3)),
    read_at      SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (protocol_id, chain, hour)
TTL hour + INTERVAL 60 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Partial aggregates of protocol_tvl_history; read protocol_tvl_realtime';

CREATE MATERIALIZED VIEW mv_protocol_tvl_realtime TO protocol_tvl_hourly_states AS
SELECT
    protocol_id,
    chain,
    toStartOfHour(toDateTime(raw.timestamp, 'UTC'))  AS hour,
    anyLast(raw.category)                            AS category,
    argMaxState(raw.tvl_usd, raw.timestamp)          AS tvl_usd,
    min(raw.tvl_usd)                                 AS lowest_usd,
    max(raw.tvl_usd)                                 AS highest_usd,
    max(raw.timestamp)                               AS read_at
FROM protocol_tvl_history AS raw
GROUP BY protocol_id, chain, hour;

-- Changes are against the last value known an hour or a day before the newest row of the whole table, so a feed that stopped shows as such.
CREATE VIEW protocol_tvl_realtime AS
WITH (SELECT max(hour) FROM protocol_tvl_hourly_states) AS newest
SELECT
    protocol_id,
    chain,
    anyLast(category)                                                   AS category,
    argMax(tvl, hour)                                                   AS tvl_usd,
    max(read_at)                                                        AS read_at,
    min(if(hour > newest - INTERVAL 24 HOUR, lowest_usd, NULL))         AS lowest_24h_usd,
    max(if(hour > newest - INTERVAL 24 HOUR, highest_usd, NULL))        AS highest_24h_usd,
    argMax(if(hour <= newest - INTERVAL 1 HOUR, tvl, NULL), hour)       AS tvl_1h_ago_usd,
    argMax(if(hour <= newest - INTERVAL 24 HOUR, tvl, NULL), hour)      AS tvl_24h_ago_usd,
    100 * (toFloat64(tvl_usd) / nullIf(toFloat64(tvl_1h_ago_usd), 0) - 1)   AS change_1h_percent,
    100 * (toFloat64(tvl_usd) / nullIf(toFloat64(tvl_24h_ago_usd), 0) - 1)  AS change_24h_percent,
    multiIf(change_1h_percent <= -10 OR change_24h_percent <= -25, 'drop',
            change_1h_percent >= 10 OR change_24h_percent >= 25, 'surge', 'steady')  AS movement
FROM
(
    SELECT protocol_id, chain, hour, anyLast(s.category) AS category, argMaxMerge(s.tvl_usd) AS tvl,
           min(s.lowest_usd) AS lowest_usd, max(s.highest_usd) AS highest_usd, max(s.read_at) AS read_at
    FROM protocol_tvl_hourly_states AS s
    WHERE hour > newest - INTERVAL 49 HOUR
    GROUP BY protocol_id, chain, hour
)
GROUP BY protocol_id, chain;

-- migrate:down
DROP VIEW protocol_tvl_realtime;
DROP VIEW mv_protocol_tvl_realtime;
DROP TABLE protocol_tvl_hourly_states;
