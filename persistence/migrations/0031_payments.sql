-- Money asked for from buyers. The row stands before its provider is called, and is never deleted.
CREATE TABLE payments (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts (id),
  claim_id uuid UNIQUE, -- of the Idempotency-Key: a repeat goes on with this row

  -- What was bought, as it was on sale at that moment: a later change of the plan does not change the deal.
  plan_id uuid NOT NULL REFERENCES plans (id),
  plan_name text NOT NULL,
  duration_days int NOT NULL CHECK (duration_days > 0),
  traffic_limit_bytes bigint,
  max_devices int,
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),

  -- What the provider calls it.
  provider text NOT NULL CHECK (provider <> ''),
  external_id text CHECK (external_id <> ''),
  url text NOT NULL DEFAULT '',
  expires_at timestamptz,

  state text NOT NULL CHECK (state IN ('created', 'unknown', 'pending', 'paid', 'expired', 'failed', 'refunded', 'held')),
  review text NOT NULL DEFAULT '', -- why a person has to look at it; empty: nobody has to
  created_at timestamptz NOT NULL,
  tried_at timestamptz NOT NULL,   -- when the provider was last told to create the charge
  settled_at timestamptz,

  -- For whoever asks the provider.
  due_at timestamptz,              -- when to ask next; while somebody asks: when his lease ends; null: never again
  looks int NOT NULL DEFAULT 0,    -- how often the poller asked in this state
  checked_at timestamptz,          -- when anybody asked last

  UNIQUE (provider, external_id),
  CHECK (external_id IS NOT NULL OR state IN ('created', 'unknown', 'failed')),
  CHECK ((state = 'paid') = (settled_at IS NOT NULL))
);
CREATE INDEX payments_account_id ON payments (account_id, created_at DESC, id);
CREATE INDEX payments_external_id ON payments (external_id);
CREATE INDEX payments_plan_id ON payments (plan_id);
CREATE INDEX payments_due_at ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_review ON payments (created_at) WHERE review <> '';
