-- migrate:up
-- Where the market data flow (ClickHouse -> views -> PostgreSQL) leaves its aggregates for applications that join them with their own rows.
CREATE TABLE market_metrics (
    asset_id        varchar(64) NOT NULL,
    bucket          timestamptz NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    average         double precision NOT NULL,
    volatility      double precision NOT NULL,
    volume          double precision NOT NULL,
    samples         bigint NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset_id, bucket),
    CONSTRAINT market_metrics_range CHECK (low <= high),
    CONSTRAINT market_metrics_samples_positive CHECK (samples > 0)
);
CREATE INDEX market_metrics_bucket_idx ON market_metrics USING brin (bucket);

COMMENT ON TABLE market_metrics IS 'Five-minute market aggregates, copied from price_metrics_5min in ClickHouse';
COMMENT ON COLUMN market_metrics.asset_id IS 'As the market names it ("ETH")';
COMMENT ON COLUMN market_metrics.bucket IS 'Start of the five minutes';

-- migrate:down
DROP TABLE market_metrics;
