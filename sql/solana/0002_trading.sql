-- migrate:up
-- Times are UTC whatever the session's zone is; the trigger stamps them the same way.
CREATE TABLE trader_config (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name                    varchar(255) NOT NULL,
    mode                    varchar(20) NOT NULL DEFAULT 'paper',
    max_position_size       decimal(20,8),
    max_daily_loss          decimal(20,8),
    max_slippage_bps        integer,
    mev_protection_enabled  boolean NOT NULL DEFAULT true,
    created_at              timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at              timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT trader_config_mode_known CHECK (mode IN ('paper', 'live')),
    CONSTRAINT trader_config_limits_positive CHECK (max_position_size > 0 AND max_daily_loss > 0),
    CONSTRAINT trader_config_slippage_range CHECK (max_slippage_bps BETWEEN 0 AND 10000)
);

CREATE TABLE order_rules (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    trader_id       uuid NOT NULL REFERENCES trader_config (id) ON DELETE CASCADE,
    position_token  varchar(50) NOT NULL,
    rule_type       varchar(20) NOT NULL,
    trigger_price   decimal(20,8) NOT NULL,
    amount          decimal(20,8) NOT NULL,
    created_at      timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    triggered_at    timestamp,
    CONSTRAINT order_rules_type_known CHECK (rule_type IN ('stop_loss', 'take_profit')),
    CONSTRAINT order_rules_positive CHECK (trigger_price > 0 AND amount > 0),
    CONSTRAINT order_rules_triggered_after_created CHECK (triggered_at >= created_at)
);
-- What a trader asks on every price: my rules on this token that have not fired.
CREATE INDEX idx_order_rules_open ON order_rules (trader_id, position_token) WHERE triggered_at IS NULL;
CREATE INDEX idx_order_rules_trader ON order_rules (trader_id);

CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END
$$;
CREATE TRIGGER update_trader_config_updated_at BEFORE UPDATE ON trader_config
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

COMMENT ON TABLE trader_config IS 'One row a trader, paper or live';
COMMENT ON COLUMN trader_config.max_position_size IS 'In the quote token; null: unlimited';
COMMENT ON COLUMN trader_config.max_daily_loss IS 'In the quote token; null: unlimited';
COMMENT ON TABLE order_rules IS 'Stop-loss and take-profit orders';
COMMENT ON COLUMN order_rules.position_token IS 'Mint address; not a foreign key: a rule may guard a token before its metadata is known';
COMMENT ON COLUMN order_rules.triggered_at IS 'Null while the rule waits';

-- migrate:down
DROP TABLE order_rules;
DROP TABLE trader_config;
DROP FUNCTION update_updated_at_column();
