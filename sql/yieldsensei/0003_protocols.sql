-- migrate:up
CREATE TABLE protocols (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug            varchar(64) NOT NULL UNIQUE,
    name            varchar(128) NOT NULL,
    category        protocol_category NOT NULL,
    risk            risk_level NOT NULL DEFAULT 'medium',
    security_score  numeric(5,2),
    chains          text[] NOT NULL DEFAULT '{}',
    tvl             numeric(24,2) NOT NULL DEFAULT 0,
    website         text,
    description     text,
    contracts       jsonb NOT NULL DEFAULT '{}',
    audited_at      date,
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT protocols_slug_form CHECK (slug ~ '^[a-z0-9][a-z0-9.-]*$'),
    CONSTRAINT protocols_security_score_range CHECK (security_score BETWEEN 0 AND 100),
    CONSTRAINT protocols_tvl_not_negative CHECK (tvl >= 0),
    CONSTRAINT protocols_contracts_object CHECK (jsonb_typeof(contracts) = 'object')
);
CREATE INDEX protocols_tvl_idx ON protocols (tvl DESC) WHERE is_active;
CREATE INDEX protocols_category_idx ON protocols (category, tvl DESC);
CREATE INDEX protocols_chains_idx ON protocols USING gin (chains);
CREATE INDEX protocols_contracts_idx ON protocols USING gin (contracts jsonb_path_ops);
CREATE INDEX protocols_name_trgm_idx ON protocols USING gin (name gin_trgm_ops);
CREATE INDEX protocols_text_search_idx ON protocols
    USING gin (to_tsvector('english', name || ' ' || coalesce(description, '')));

CREATE TRIGGER protocols_set_updated_at BEFORE UPDATE ON protocols FOR EACH ROW EXECUTE FUNCTION set_updated_at();

COMMENT ON TABLE protocols IS 'The DeFi protocols that are watched';
COMMENT ON COLUMN protocols.slug IS 'Stable short name, as in "uniswap-v3"';
COMMENT ON COLUMN protocols.risk IS 'Our verdict';
COMMENT ON COLUMN protocols.security_score IS '0 (unsafe) to 100';
COMMENT ON COLUMN protocols.chains IS 'Chains it is deployed on';
COMMENT ON COLUMN protocols.tvl IS 'Total value locked now, in USD; its history is protocol_tvl_history in ClickHouse';
COMMENT ON COLUMN protocols.contracts IS 'Contract addresses by chain';

-- migrate:down
DROP TABLE protocols;
