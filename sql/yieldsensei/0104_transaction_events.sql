-- migrate:up store:analytics transaction:false
-- Events read from the chain, append-only. (transaction_history, copied from PostgreSQL, holds what our own users did.)
CREATE TABLE transaction_events
(
    timestamp          DateTime64(3, 'UTC') COMMENT 'Block time' CODEC(DoubleDelta, ZSTD(1)),
    chain              LowCardinality(String),
    block_number       UInt64 CODEC(DoubleDelta, ZSTD(1)),
    transaction_index  UInt32 COMMENT 'Place in the block: what MEV is about' CODEC(Delta, ZSTD(1)),
    log_index          UInt32 CODEC(Delta, ZSTD(1)),
    transaction_hash   String COMMENT 'As explorers show it' CODEC(ZSTD(1)),
    event_type         LowCardinality(String) COMMENT 'swap, mint, burn, transfer, liquidation, ...',
    protocol_id        LowCardinality(String) COMMENT 'Slug, as in protocols',
    pool_id            LowCardinality(String),
    sender             String COMMENT 'Address, lower case' CODEC(ZSTD(1)),
    token_in           LowCardinality(String),
    token_out          LowCardinality(String),
    amount_in          Decimal(38, 18) CODEC(ZSTD(3)),
    amount_out         Decimal(38, 18) CODEC(ZSTD(3)),
    value_usd          Nullable(Decimal(18, 2)) COMMENT 'Null when no price was known' CODEC(ZSTD(3)),
    gas_used           UInt64 CODEC(T64, ZSTD(1)),
    gas_price          UInt64 COMMENT 'In the chain''s smallest unit' CODEC(Delta, ZSTD(1)),
    INDEX value_range value_usd TYPE minmax GRANULARITY 4,
    INDEX block_range block_number TYPE minmax GRANULARITY 4,
    INDEX event_set event_type TYPE set(32) GRANULARITY 4,
    INDEX hash_bloom transaction_hash TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX sender_bloom sender TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (chain, protocol_id, timestamp, transaction_index, log_index)
TTL toDateTime(timestamp) + INTERVAL 24 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Events of watched contracts, as read from the chain; a partition a month (UTC)';

-- migrate:down
DROP TABLE transaction_events;
