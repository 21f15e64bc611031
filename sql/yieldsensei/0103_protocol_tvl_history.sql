-- migrate:up store:analytics transaction:false
CREATE TABLE protocol_tvl_history
(
    timestamp         DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    protocol_id       LowCardinality(String) COMMENT 'Slug, as in protocols',
    chain             LowCardinality(String),
    category          LowCardinality(String) COMMENT 'As protocol_category in PostgreSQL',
    tvl_usd           Decimal(18, 2) COMMENT 'Total value locked' CODEC(Delta, ZSTD(3)),
    volume_24h_usd    Nullable(Decimal(18, 2)) COMMENT 'Null where the protocol trades nothing' CODEC(Delta, ZSTD(3)),
    fees_24h_usd      Nullable(Decimal(18, 2)) CODEC(Delta, ZSTD(3)),
    active_users_24h  UInt32 CODEC(Delta, ZSTD(1)),
    transactions_24h  UInt64 CODEC(Delta, ZSTD(1)),
    INDEX tvl_range tvl_usd TYPE minmax GRANULARITY 4,
    INDEX category_set category TYPE set(32) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (protocol_id, chain, timestamp)
TTL toDateTime(timestamp) + INTERVAL 60 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Value locked in each protocol by chain over time; a partition a month (UTC)';

-- migrate:down
DROP TABLE protocol_tvl_history;
