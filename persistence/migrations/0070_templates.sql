-- Subscription templates that the panel was asked to make, with what it has no room for.
CREATE TABLE subscription_templates (
  kind text NOT NULL,      -- as the panel tells them apart: names are unique in each
  name text NOT NULL,
  panel_id uuid,           -- null: the panel has not answered yet
  claim_id uuid,           -- of the request that it was made by
  type text NOT NULL,      -- as it was asked for
  host text,
  inbound_tag text,
  flow text,
  config jsonb CHECK (jsonb_typeof(config) = 'object'),
  created_by uuid REFERENCES accounts (id) ON DELETE SET NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (kind, name)
);
CREATE INDEX subscription_templates_created_by ON subscription_templates (created_by);
