-- migrate:up
CREATE TABLE portfolio_holdings (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id           uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asset_id          uuid NOT NULL REFERENCES assets (id),
    protocol_id       uuid REFERENCES protocols (id),
    quantity          numeric(36,18) NOT NULL,
    average_cost_usd  numeric(36,18),
    value_usd         numeric(24,8),
    apy               numeric(9,4),
    metadata          jsonb NOT NULL DEFAULT '{}',
    opened_at         timestamptz NOT NULL DEFAULT now(),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT portfolio_holdings_user_asset_key UNIQUE (user_id, asset_id),
    CONSTRAINT portfolio_holdings_quantity_not_negative CHECK (quantity >= 0 AND quantity <> 'NaN'),
    CONSTRAINT portfolio_holdings_cost_not_negative CHECK (average_cost_usd >= 0 AND average_cost_usd <> 'NaN'),
    CONSTRAINT portfolio_holdings_value_not_negative CHECK (value_usd >= 0 AND value_usd <> 'NaN'),
    CONSTRAINT portfolio_holdings_apy_range CHECK (apy >= -100),
    CONSTRAINT portfolio_holdings_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX portfolio_holdings_asset_idx ON portfolio_holdings (asset_id);
CREATE INDEX portfolio_holdings_protocol_idx ON portfolio_holdings (protocol_id) WHERE protocol_id IS NOT NULL;
CREATE INDEX portfolio_holdings_value_idx ON portfolio_holdings (user_id, value_usd DESC NULLS LAST);

CREATE TRIGGER portfolio_holdings_set_updated_at BEFORE UPDATE ON portfolio_holdings
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();

COMMENT ON TABLE portfolio_holdings IS 'What a user holds now, one row an asset';
COMMENT ON COLUMN portfolio_holdings.protocol_id IS 'Where the asset is put to work; null: it lies in the wallet';
COMMENT ON COLUMN portfolio_holdings.quantity IS 'In whole units of the asset';
COMMENT ON COLUMN portfolio_holdings.value_usd IS 'Null while the asset has no known price';
COMMENT ON COLUMN portfolio_holdings.apy IS 'Percent a year at the moment; null: earns nothing known';

-- migrate:down
DROP TABLE portfolio_holdings;
