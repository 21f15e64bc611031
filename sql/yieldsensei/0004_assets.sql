-- migrate:up
CREATE TABLE assets (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    symbol            varchar(64) NOT NULL,
    name              varchar(255) NOT NULL,
    type              asset_type NOT NULL DEFAULT 'token',
    chain             varchar(32) NOT NULL,
    contract_address  varchar(64),
    decimals          smallint NOT NULL,
    price_usd         numeric(36,18),
    logo_url          text,
    is_active         boolean NOT NULL DEFAULT true,
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    -- One native asset a chain, one row a contract.
    CONSTRAINT assets_contract_key UNIQUE NULLS NOT DISTINCT (chain, contract_address),
    CONSTRAINT assets_contract_case CHECK (contract_address NOT LIKE '0x%' OR contract_address = lower(contract_address)),
    CONSTRAINT assets_native_has_no_contract CHECK ((type = 'native') = (contract_address IS NULL)),
    CONSTRAINT assets_decimals_range CHECK (decimals BETWEEN 0 AND 255),
    CONSTRAINT assets_price_not_negative CHECK (price_usd >= 0),
    CONSTRAINT assets_symbol_not_blank CHECK (btrim(symbol) <> ''),
    CONSTRAINT assets_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX assets_symbol_idx ON assets (symbol);
CREATE INDEX assets_search_idx ON assets USING gin (symbol gin_trgm_ops, name gin_trgm_ops);
CREATE INDEX assets_metadata_idx ON assets USING gin (metadata jsonb_path_ops);

CREATE TRIGGER assets_set_updated_at BEFORE UPDATE ON assets FOR EACH ROW EXECUTE FUNCTION set_updated_at();

COMMENT ON TABLE assets IS 'Coins and tokens, one row a contract on a chain';
COMMENT ON COLUMN assets.symbol IS 'Not unique: anyone can deploy a token called USDC';
COMMENT ON COLUMN assets.contract_address IS 'Null for the chain''s own coin; hexadecimal in lower case, base58 as it is';
COMMENT ON COLUMN assets.decimals IS 'Digits after the point in on-chain amounts (a uint8 there)';
COMMENT ON COLUMN assets.price_usd IS 'Last known price; its history is price_data_raw in ClickHouse';

-- migrate:down
DROP TABLE assets;
