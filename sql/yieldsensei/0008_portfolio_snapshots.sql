-- migrate:up
CREATE SEQUENCE portfolio_snapshots_id_seq AS bigint CACHE 32;

CREATE TABLE portfolio_snapshots (
    id                 bigint NOT NULL DEFAULT nextval('portfolio_snapshots_id_seq'),
    user_id            uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    snapshot_date      date NOT NULL,
    total_value_usd    numeric(24,8) NOT NULL,
    profit_loss_usd    numeric(24,8),
    weighted_apy       numeric(9,4),
    holdings_count     integer NOT NULL,
    risk_score         real,
    asset_allocation   jsonb NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, snapshot_date),
    CONSTRAINT portfolio_snapshots_user_date_key UNIQUE (user_id, snapshot_date),
    CONSTRAINT portfolio_snapshots_total_not_negative CHECK (total_value_usd >= 0),
    CONSTRAINT portfolio_snapshots_count_not_negative CHECK (holdings_count >= 0),
    CONSTRAINT portfolio_snapshots_risk_range CHECK (risk_score BETWEEN 0 AND 100),
    CONSTRAINT portfolio_snapshots_allocation_object CHECK (jsonb_typeof(asset_allocation) = 'object')
) PARTITION BY RANGE (snapshot_date);
ALTER SEQUENCE portfolio_snapshots_id_seq OWNED BY portfolio_snapshots.id;

CREATE INDEX portfolio_snapshots_date_idx ON portfolio_snapshots (snapshot_date);
CREATE INDEX portfolio_snapshots_allocation_idx ON portfolio_snapshots USING gin (asset_allocation jsonb_path_ops);

COMMENT ON TABLE portfolio_snapshots IS 'What a portfolio was worth on a day; one partition a quarter of snapshot_date';
COMMENT ON COLUMN portfolio_snapshots.profit_loss_usd IS 'Since the snapshot before; null for the first';
COMMENT ON COLUMN portfolio_snapshots.weighted_apy IS 'Percent a year, weighted by value';
COMMENT ON COLUMN portfolio_snapshots.risk_score IS '0 (none) to 100';
COMMENT ON COLUMN portfolio_snapshots.asset_allocation IS 'Percent of the value by asset symbol';

-- The two years before, the current quarter and 8 quarters ahead.
SELECT ensure_partitions('portfolio_snapshots', 'quarter', 8, now() - interval '24 months');

-- migrate:down
DROP TABLE portfolio_snapshots;
