-- migrate:up
CREATE TABLE users (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    wallet_address  varchar(64) NOT NULL UNIQUE,
    email           varchar(320),
    username        varchar(64),
    display_name    text,
    risk_tolerance  risk_level NOT NULL DEFAULT 'medium',
    preferences     jsonb NOT NULL DEFAULT '{}',
    is_active       boolean NOT NULL DEFAULT true,
    last_login_at   timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_wallet_address_form CHECK (length(wallet_address) >= 26 AND wallet_address !~ '\s'),
    -- Hexadecimal addresses are case-insensitive: one spelling only, or one wallet could have two accounts.
    CONSTRAINT users_wallet_address_case CHECK (wallet_address NOT LIKE '0x%' OR wallet_address = lower(wallet_address)),
    CONSTRAINT users_email_form CHECK (email LIKE '%_@_%'),
    CONSTRAINT users_preferences_object CHECK (jsonb_typeof(preferences) = 'object')
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE INDEX users_preferences_idx ON users USING gin (preferences jsonb_path_ops);
CREATE INDEX users_name_search_idx ON users USING gin (username gin_trgm_ops, display_name gin_trgm_ops);
CREATE INDEX users_created_at_idx ON users (created_at);

CREATE TRIGGER users_set_updated_at BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION set_updated_at();

COMMENT ON TABLE users IS 'One row a person; the wallet is the identity';
COMMENT ON COLUMN users.wallet_address IS 'Primary wallet; hexadecimal addresses in lower case, base58 as it is';
COMMENT ON COLUMN users.email IS 'Unique without regard to case';
COMMENT ON COLUMN users.risk_tolerance IS 'How much risk the person accepts';
COMMENT ON COLUMN users.preferences IS 'Settings of the user interface';

-- migrate:down
DROP TABLE users;
