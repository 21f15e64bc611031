-- migrate:up store:analytics transaction:false
CREATE TABLE liquidity_pools
(
    timestamp        DateTime64(3, 'UTC') COMMENT 'When the pool was read' CODEC(DoubleDelta, ZSTD(1)),
    protocol_id      LowCardinality(String) COMMENT 'Slug, as in protocols',
    pool_id          LowCardinality(String) COMMENT 'Contract address or the protocol''s own name',
    chain            LowCardinality(String),
    token0           LowCardinality(String) COMMENT 'Market name of the first token',
    token1           LowCardinality(String) COMMENT 'Market name of the second token',
    reserve0         Decimal(38, 18) COMMENT 'Whole units of token0' CODEC(ZSTD(3)),
    reserve1         Decimal(38, 18) COMMENT 'Whole units of token1' CODEC(ZSTD(3)),
    tvl_usd          Decimal(18, 2) CODEC(Delta, ZSTD(3)),
    volume_24h_usd   Decimal(18, 2) CODEC(Delta, ZSTD(3)),
    fees_24h_usd     Decimal(18, 2) CODEC(Delta, ZSTD(3)),
    fee_tier_bps     UInt16 COMMENT 'Hundredths of a percent' CODEC(Delta, ZSTD(1)),
    apy              Nullable(Float64) COMMENT 'Percent a year from fees; null for a pool too young to tell' CODEC(Gorilla, ZSTD(1)),
    block_number     UInt64 CODEC(DoubleDelta, ZSTD(1)),
    INDEX tvl_range tvl_usd TYPE minmax GRANULARITY 4,
    INDEX chain_set chain TYPE set(64) GRANULARITY 4,
    INDEX token0_bloom token0 TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX token1_bloom token1 TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (protocol_id, pool_id, timestamp)
TTL toDateTime(timestamp) + INTERVAL 24 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What was in each liquidity pool over time; a partition a month (UTC)';

-- migrate:down
DROP TABLE liquidity_pools;
