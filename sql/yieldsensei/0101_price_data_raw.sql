-- migrate:up store:analytics transaction:false
-- Market samples as they arrive, append-only. Prices are decimals as feeds send them: a random walk of decimals delta-codes to a third of
-- the same walk as doubles. Eighteen digits hold 99,999,999.9999999999; a larger price is refused, never rounded.
CREATE TABLE price_data_raw
(
    timestamp     DateTime64(3, 'UTC') COMMENT 'When the source saw the price' CODEC(DoubleDelta, ZSTD(1)),
    asset_id      LowCardinality(String) COMMENT 'As the market names it ("ETH")',
    chain         LowCardinality(String) COMMENT 'Where it was traded; empty for prices of no one chain',
    source        LowCardinality(String) COMMENT 'Exchange, pool or oracle',
    price         Decimal(18, 10) COMMENT 'USD for one whole unit' CODEC(Delta, ZSTD(3)),
    bid           Nullable(Decimal(18, 10)) COMMENT 'Best offer to buy; null where the source has no book' CODEC(Delta, ZSTD(3)),
    ask           Nullable(Decimal(18, 10)) COMMENT 'Best offer to sell; null where the source has no book' CODEC(Delta, ZSTD(3)),
    volume        Decimal(18, 2) COMMENT 'USD traded since the sample before' CODEC(ZSTD(3)),
    market_cap    Nullable(Decimal(18, 2)) COMMENT 'USD; null when the supply is not known' CODEC(Delta, ZSTD(3)),
    liquidity     Decimal(18, 2) COMMENT 'USD that a trade can reach within 2 % of the price' CODEC(Delta, ZSTD(3)),
    confidence    Float64 COMMENT 'The source''s own, 0 to 1' CODEC(Gorilla, ZSTD(1)),
    block_number  UInt64 COMMENT '0 for prices from off chain' CODEC(DoubleDelta, ZSTD(1)),
    INDEX price_range price TYPE minmax GRANULARITY 4,
    INDEX volume_range volume TYPE minmax GRANULARITY 4,
    INDEX source_set source TYPE set(64) GRANULARITY 4,
    INDEX block_range block_number TYPE minmax GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (asset_id, source, timestamp)
-- [[partition]] says 12 months, which nothing enforces yet; this does, later.
TTL toDateTime(timestamp) + INTERVAL 15 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Market samples, one row a source and moment; a partition a month (UTC)';

-- migrate:down
DROP TABLE price_data_raw;
