-- migrate:up store:analytics transaction:false
CREATE TABLE yield_history
(
    timestamp       DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    strategy        LowCardinality(String) COMMENT 'lending, liquidity, staking, leverage, ...',
    protocol_id     LowCardinality(String) COMMENT 'Slug, as in protocols',
    pool_id         LowCardinality(String),
    chain           LowCardinality(String),
    asset_id        LowCardinality(String) COMMENT 'What is put in',
    apy             Float64 COMMENT 'Percent a year, all in' CODEC(Gorilla, ZSTD(1)),
    apy_base        Float64 COMMENT 'From fees and interest' CODEC(Gorilla, ZSTD(1)),
    apy_reward      Nullable(Float64) COMMENT 'From incentives; null where there are none' CODEC(Gorilla, ZSTD(1)),
    tvl_usd         Decimal(18, 2) CODEC(Delta, ZSTD(3)),
    risk_score      Float32 COMMENT '0 (none) to 100' CODEC(Gorilla, ZSTD(1)),
    security_score  Float32 COMMENT '0 (unsafe) to 100: audits, age, incidents' CODEC(Gorilla, ZSTD(1)),
    INDEX apy_range apy TYPE minmax GRANULARITY 4,
    INDEX chain_set chain TYPE set(64) GRANULARITY 4,
    INDEX asset_bloom asset_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (strategy, protocol_id, pool_id, timestamp)
TTL toDateTime(timestamp) + INTERVAL 36 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What each opportunity paid over time; a partition a month (UTC)';

-- migrate:down
DROP TABLE yield_history;
