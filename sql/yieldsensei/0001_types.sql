-- migrate:up
-- Types and helpers that every table below uses.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TYPE asset_type AS ENUM ('native', 'token', 'stablecoin', 'lp_token', 'wrapped', 'synthetic', 'governance', 'nft');
CREATE TYPE transaction_type AS ENUM (
    'deposit', 'withdrawal', 'swap', 'stake', 'unstake', 'claim', 'borrow', 'repay',
    'add_liquidity', 'remove_liquidity', 'transfer', 'bridge', 'liquidation', 'fee');
CREATE TYPE protocol_category AS ENUM (
    'dex', 'lending', 'yield', 'liquid_staking', 'derivatives', 'bridge', 'cdp', 'restaking', 'insurance', 'rwa');
CREATE TYPE risk_level AS ENUM ('very_low', 'low', 'medium', 'high', 'very_high');

COMMENT ON TYPE asset_type IS 'What kind of thing an asset is';
COMMENT ON TYPE transaction_type IS 'What a transaction did';
COMMENT ON TYPE protocol_category IS 'What a protocol is for';
COMMENT ON TYPE risk_level IS 'A risk appetite or a risk verdict, from least to most';

CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION set_updated_at() IS 'Trigger: stamps updated_at on every UPDATE';

-- migrate:down
DROP FUNCTION set_updated_at();
DROP TYPE risk_level;
DROP TYPE protocol_category;
DROP TYPE transaction_type;
DROP TYPE asset_type;
-- Refuses while anything else in the database uses it.
DROP EXTENSION pg_trgm;
