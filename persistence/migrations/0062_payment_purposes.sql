-- What a buyer has allowed us to charge again.
CREATE TABLE saved_payment_methods (
  id uuid PRIMARY KEY,
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  provider text NOT NULL CHECK (provider <> ''),
  method text NOT NULL,      -- the way to pay by which it was saved
  fingerprint text NOT NULL, -- HMAC of the provider's id by a server key: the same one is kept once
  sealed_id text NOT NULL,   -- the provider's id, sealed with a key derived from the server's
  title text NOT NULL,
  created_at timestamptz NOT NULL,
  is_default boolean NOT NULL,
  UNIQUE (account, provider, fingerprint)
);
CREATE UNIQUE INDEX saved_payment_methods_default ON saved_payment_methods (account) WHERE is_default;

-- A payment may top up the wallet instead of buying a plan; it is made by one of a provider's methods.
ALTER TABLE payments
  ADD COLUMN purpose text NOT NULL DEFAULT 'plan' CHECK (purpose IN ('plan', 'top_up')),
  ADD COLUMN traffic_reset text NOT NULL DEFAULT 'never',           -- of the plan, as it was on sale
  ADD COLUMN method text NOT NULL DEFAULT 'crypto_bot',            -- the only one until now
  ADD COLUMN fee bigint NOT NULL DEFAULT 0 CHECK (fee >= 0),       -- what the buyer pays on top of the amount
  ADD COLUMN saves_method boolean NOT NULL DEFAULT false,          -- the buyer agrees to be charged again
  ADD COLUMN saved_method uuid,                                    -- charged without the buyer; outlives its removal
  ADD COLUMN is_fulfilled boolean NOT NULL DEFAULT false,          -- the plan was bought with the money, once it came
  ADD COLUMN paid_amount bigint CHECK (paid_amount > 0),           -- what came, where a person had to decide
  ADD COLUMN paid_currency text CHECK (paid_currency ~ '^[A-Z]{3}$'),
  ADD COLUMN refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0), -- what went back at the provider, as seen last
  ADD COLUMN refund_at timestamptz,                                -- when we told the provider to give it all back
  ALTER COLUMN plan_id DROP NOT NULL,
  ALTER COLUMN plan_name DROP NOT NULL,
  ALTER COLUMN duration_days DROP NOT NULL,
  ALTER COLUMN account_id DROP NOT NULL;                           -- null: paid unasked, and nobody knows by whom
UPDATE payments SET is_fulfilled = true WHERE state = 'paid';

ALTER TABLE payments
  DROP CONSTRAINT payments_check1, -- "paid if and only if settled": what was settled may be refunded now
  ADD CONSTRAINT payments_settled CHECK (CASE state WHEN 'paid' THEN settled_at IS NOT NULL
                                                    WHEN 'refunded' THEN true ELSE settled_at IS NULL END),
  ADD CONSTRAINT payments_plan CHECK (CASE purpose WHEN 'plan' THEN num_nulls(plan_id, plan_name, duration_days) = 0
                                                   ELSE num_nonnulls(plan_id, plan_name, duration_days) = 0 END),
  ADD CONSTRAINT payments_fulfilled CHECK (NOT is_fulfilled OR (purpose = 'plan' AND settled_at IS NOT NULL)),
  ADD CONSTRAINT payments_owner CHECK (account_id IS NOT NULL OR state IN ('created', 'held', 'refunded')),
  ADD CONSTRAINT payments_paid_amount CHECK ((paid_amount IS NULL) = (paid_currency IS NULL));
CREATE INDEX payments_created_at ON payments (created_at DESC, id);
