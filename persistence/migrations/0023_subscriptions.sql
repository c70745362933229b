CREATE TABLE plans (
  id uuid PRIMARY KEY,
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  duration_days int NOT NULL CHECK (duration_days BETWEEN 1 AND 36500),
  traffic_limit_bytes bigint CHECK (traffic_limit_bytes > 0), -- null: unlimited
  max_devices int CHECK (max_devices > 0),                    -- null: unlimited
  features jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(features) = 'array'),
  is_active boolean NOT NULL DEFAULT true,                    -- on sale
  position int NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX plans_name ON plans (lower(name));

CREATE TABLE plan_prices (
  plan_id uuid NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  minor bigint NOT NULL CHECK (minor >= 0),
  PRIMARY KEY (plan_id, currency)
);

-- What an account is entitled to: one row an account.
CREATE TABLE subscriptions (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL UNIQUE REFERENCES accounts (id) ON DELETE CASCADE,
  plan_id uuid NOT NULL REFERENCES plans (id),
  status text NOT NULL CHECK (status IN ('active', 'trial', 'cancelled')), -- "expired" is told by expires_at
  started_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  traffic_limit_bytes bigint CHECK (traffic_limit_bytes > 0),
  max_devices int CHECK (max_devices > 0),
  auto_renew boolean NOT NULL DEFAULT false,
  version bigint NOT NULL DEFAULT 1, -- grows with every change
  updated_at timestamptz NOT NULL
);
CREATE INDEX subscriptions_plan_id ON subscriptions (plan_id);
CREATE INDEX subscriptions_expires_at ON subscriptions (expires_at);

-- The panel's user of an account, as far as we know.
CREATE TABLE panel_users (
  account_id uuid PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  short_uuid text NOT NULL,
  subscription_url text NOT NULL,
  synced_version bigint NOT NULL -- of the subscription that the panel was told last
);
