-- migrate:up store:analytics transaction:false
CREATE TABLE yields_hourly_states
(
    strategy        LowCardinality(String),
    protocol_id     LowCardinality(String),
    pool_id         LowCardinality(String),
    chain           LowCardinality(String),
    asset_id        LowCardinality(String),
    hour            DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    apy             AggregateFunction(avg, Float64),
    apy_deviation   AggregateFunction(stddevPop, Float64),
    apy_reward      AggregateFunction(avg, Nullable(Float64)),
    tvl_usd         AggregateFunction(argMax, Decimal(18, 2), DateTime64(3, 'UTC')),
    risk_score      SimpleAggregateFunction(max, Float32) CODEC(Gorilla, ZSTD(1)),
    security_score  SimpleAggregateFunction(min, Float32) CODEC(Gorilla, ZSTD(1)),
    samples         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (strategy, protocol_id, pool_id, chain, asset_id, hour)
TTL hour + INTERVAL 36 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Partial aggregates of yield_history; read best_yields_by_strategy';

CREATE MATERIALIZED VIEW mv_best_yields_by_strategy TO yields_hourly_states AS
SELECT
    strategy, protocol_id, pool_id, chain, asset_id,
    toStartOfHour(toDateTime(raw.timestamp, 'UTC'))  AS hour,
    avgState(raw.apy)                                AS apy,
    stddevPopState(raw.apy)                          AS apy_deviation,
    avgState(raw.apy_reward)                         AS apy_reward,
    argMaxState(raw.tvl_usd, raw.timestamp)          AS tvl_usd,
    max(raw.risk_score)                              AS risk_score,
    min(raw.security_score)                          AS security_score,
    count()                                          AS samples
FROM yield_history AS raw
GROUP BY strategy, protocol_id, pool_id, chain, asset_id, hour;

-- Over the last 24 hours of data. The score pays for yield and takes away for risk, weak security, unsteady yields and thin pools:
-- apy x (1 - risk) x security x steadiness x depth, where depth reaches 1 at 10 million USD.
CREATE VIEW best_yields_by_strategy AS
WITH (SELECT max(hour) FROM yields_hourly_states) AS newest
SELECT
    strategy,
    row_number() OVER (PARTITION BY strategy ORDER BY score DESC, protocol_id, pool_id, chain, asset_id)  AS rank,
    protocol_id, pool_id, chain, asset_id, apy, apy_reward, apy_deviation, tvl_usd, risk_score, security_score, score, samples
FROM
(
    SELECT
        strategy, protocol_id, pool_id, chain, asset_id,
        avgMerge(s.apy)                     AS apy,
        avgMerge(s.apy_reward)              AS apy_reward,
        stddevPopMerge(s.apy_deviation)     AS apy_deviation,
        argMaxMerge(s.tvl_usd)              AS tvl_usd,
        max(s.risk_score)                   AS risk_score,
        min(s.security_score)               AS security_score,
        sum(s.samples)                      AS samples,
        apy * (1 - risk_score / 100) * (security_score / 100) / (1 + apy_deviation / greatest(abs(apy), 1))
            * least(1, log10(1 + greatest(toFloat64(tvl_usd), 0)) / 7)  AS score
    FROM yields_hourly_states AS s
    WHERE hour > newest - INTERVAL 24 HOUR
    GROUP BY strategy, protocol_id, pool_id, chain, asset_id
);

-- migrate:down
DROP VIEW best_yields_by_strategy;
DROP VIEW mv_best_yields_by_strategy;
DROP TABLE yields_hourly_states;
