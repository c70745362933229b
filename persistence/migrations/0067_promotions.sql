-- What a code brings whoever enters it, and how often. Which columns a kind needs, the domain's rules say.
CREATE TABLE promo_codes (
  id uuid PRIMARY KEY,
  claim_id uuid UNIQUE, -- of the Idempotency-Key that made it
  code text NOT NULL CHECK (code ~ '^[A-Z0-9_-]{3,50}$'),
  kind text NOT NULL CHECK (kind IN ('balance', 'days', 'balance_and_days', 'trial', 'group', 'discount')),
  amount bigint CHECK (amount > 0),
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  days int CHECK (days > 0),
  plan_id uuid REFERENCES plans,
  traffic_bytes bigint CHECK (traffic_bytes > 0),
  group_name text CHECK (group_name <> ''),
  percent int CHECK (percent BETWEEN 1 AND 100),
  hours int CHECK (hours >= 0),
  max_uses bigint CHECK (max_uses > 0), -- null: no limit
  valid_from timestamptz,
  valid_until timestamptz,
  is_active boolean NOT NULL,
  is_for_first_purchase boolean NOT NULL,
  uses bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz, -- the row stays, for uses and transfers name it
  CHECK ((amount IS NULL) = (currency IS NULL)),
  CHECK (valid_until > valid_from),
  CONSTRAINT promo_codes_used_up CHECK (uses <= max_uses)
);
CREATE UNIQUE INDEX promo_codes_code ON promo_codes (code) WHERE deleted_at IS NULL;
CREATE INDEX promo_codes_created_at ON promo_codes (created_at DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX promo_codes_plan_id ON promo_codes (plan_id);

-- Who has used a code, and what it brought then.
CREATE TABLE promo_code_uses (
  promo_code_id uuid NOT NULL REFERENCES promo_codes,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  used_at timestamptz NOT NULL,
  amount bigint,
  currency text,
  days int,
  percent int,
  PRIMARY KEY (promo_code_id, account_id)
);
CREATE INDEX promo_code_uses_account_id ON promo_code_uses (account_id, used_at);

-- What an account pays less: by its group always, by an offer once.
CREATE TABLE discounts (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  group_name text NOT NULL DEFAULT '',
  group_percent int NOT NULL DEFAULT 0 CHECK (group_percent BETWEEN 0 AND 100),
  offer_percent int NOT NULL DEFAULT 0 CHECK (offer_percent BETWEEN 0 AND 100),
  offer_until timestamptz -- null: until it is used
);
