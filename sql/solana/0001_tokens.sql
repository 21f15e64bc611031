-- migrate:up
CREATE TABLE tokens (
    address           varchar(50) PRIMARY KEY,
    -- 64, not 20: real lists hold names of pools, such as USDC-wUSDC-wUSDT-wDAI.
    symbol            varchar(64) NOT NULL,
    name              varchar(255),
    decimals          integer NOT NULL,
    has_transfer_fee  boolean NOT NULL DEFAULT false,
    transfer_fee_bps  integer,
    extensions        jsonb,
    last_updated      timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT tokens_decimals_range CHECK (decimals BETWEEN 0 AND 255),
    CONSTRAINT tokens_transfer_fee_range CHECK (transfer_fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT tokens_extensions_object CHECK (jsonb_typeof(extensions) = 'object')
);
CREATE INDEX idx_tokens_symbol ON tokens (symbol);
CREATE INDEX idx_tokens_extensions ON tokens USING gin (extensions jsonb_path_ops);

COMMENT ON TABLE tokens IS 'SPL and Token-2022 tokens, by mint address';
COMMENT ON COLUMN tokens.address IS 'Mint address, base58';
COMMENT ON COLUMN tokens.decimals IS 'A uint8 on chain';
COMMENT ON COLUMN tokens.transfer_fee_bps IS 'Token-2022 transfer fee in hundredths of a percent';
COMMENT ON COLUMN tokens.extensions IS 'Token-2022 extension data and what token lists say';
COMMENT ON COLUMN tokens.last_updated IS 'UTC';

-- migrate:down
DROP TABLE tokens;
