-- migrate:up
CREATE SEQUENCE transaction_history_id_seq AS bigint CACHE 32;

CREATE TABLE transaction_history (
    id                bigint NOT NULL DEFAULT nextval('transaction_history_id_seq'),
    user_id           uuid NOT NULL REFERENCES users (id),
    protocol_id       uuid REFERENCES protocols (id),
    asset_id          uuid NOT NULL REFERENCES assets (id),
    type              transaction_type NOT NULL,
    status            varchar(16) NOT NULL DEFAULT 'confirmed',
    chain             varchar(32) NOT NULL,
    transaction_hash  bytea NOT NULL,
    log_index         integer NOT NULL DEFAULT 0,
    block_number      bigint NOT NULL,
    block_timestamp   timestamptz NOT NULL,
    amount            numeric(36,18) NOT NULL,
    price_usd         numeric(36,18),
    value_usd         numeric(24,8),
    gas_used          bigint,
    gas_price         numeric(30,0),
    counterparty      varchar(64),
    note              text,
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, block_timestamp),
    CONSTRAINT transaction_history_event_key UNIQUE (transaction_hash, log_index, block_timestamp),
    CONSTRAINT transaction_history_status_known CHECK (status IN ('pending', 'confirmed', 'failed', 'reverted')),
    CONSTRAINT transaction_history_hash_size CHECK (octet_length(transaction_hash) IN (32, 64)),
    -- NaN counts as the greatest number: >= 0 alone lets it in, and no Decimal elsewhere can hold it.
    CONSTRAINT transaction_history_amount_not_negative CHECK (amount >= 0 AND amount <> 'NaN'),
    CONSTRAINT transaction_history_price_not_negative CHECK (price_usd >= 0 AND price_usd <> 'NaN'),
    CONSTRAINT transaction_history_value_not_negative CHECK (value_usd >= 0 AND value_usd <> 'NaN'),
    CONSTRAINT transaction_history_block_not_negative CHECK (block_number >= 0 AND log_index >= 0),
    CONSTRAINT transaction_history_gas_not_negative CHECK (gas_used >= 0 AND gas_price >= 0),
    CONSTRAINT transaction_history_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
) PARTITION BY RANGE (block_timestamp);
ALTER SEQUENCE transaction_history_id_seq OWNED BY transaction_history.id;

CREATE INDEX transaction_history_user_idx ON transaction_history (user_id, block_timestamp DESC);
CREATE INDEX transaction_history_protocol_idx ON transaction_history (protocol_id, block_timestamp DESC) WHERE protocol_id IS NOT NULL;
CREATE INDEX transaction_history_asset_idx ON transaction_history (asset_id, block_timestamp DESC);
CREATE INDEX transaction_history_time_idx ON transaction_history USING brin (block_timestamp);
CREATE INDEX transaction_history_note_idx ON transaction_history USING gin (note gin_trgm_ops) WHERE note IS NOT NULL;

COMMENT ON TABLE transaction_history IS 'What users did on chain; one partition a month (UTC) of block_timestamp';
COMMENT ON COLUMN transaction_history.protocol_id IS 'Null for plain transfers';
COMMENT ON COLUMN transaction_history.transaction_hash IS 'Raw bytes: 32 (EVM hash) or 64 (Solana signature)';
COMMENT ON COLUMN transaction_history.log_index IS 'Which event of the transaction; hash and index name it once';
COMMENT ON COLUMN transaction_history.amount IS 'In whole units of the asset';
COMMENT ON COLUMN transaction_history.price_usd IS 'At block time; null when no price was known';
COMMENT ON COLUMN transaction_history.gas_price IS 'In the chain''s smallest unit (wei, lamports)';
COMMENT ON COLUMN transaction_history.note IS 'The user''s own words';

-- The year before, the current month and 6 months ahead.
SELECT ensure_partitions('transaction_history', 'month', 6, now() - interval '12 months');

-- migrate:down
DROP TABLE transaction_history;
