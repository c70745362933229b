-- For how long, and at what price, a plan is sold; one of its offers is the one that is shown where there is room for
-- one (plans.duration_days).
CREATE TABLE plan_offers (
  plan_id uuid NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
  days int NOT NULL CHECK (days BETWEEN 1 AND 36500),
  discount_percent int NOT NULL DEFAULT 0 CHECK (discount_percent BETWEEN 0 AND 100), -- of the prices below
  PRIMARY KEY (plan_id, days)
);
INSERT INTO plan_offers (plan_id, days) SELECT id, duration_days FROM plans;

ALTER TABLE plan_prices ADD COLUMN days int;
UPDATE plan_prices SET days = duration_days FROM plans WHERE plans.id = plan_id;
ALTER TABLE plan_prices
  ALTER COLUMN days SET NOT NULL,
  DROP CONSTRAINT plan_prices_pkey,
  ADD PRIMARY KEY (plan_id, days, currency),
  ADD FOREIGN KEY (plan_id, days) REFERENCES plan_offers ON DELETE CASCADE;

-- What a provider that keeps prices itself (Stripe, LemonSqueezy) calls an offer.
CREATE TABLE plan_price_names (
  plan_id uuid NOT NULL,
  days int NOT NULL,
  provider text NOT NULL CHECK (provider <> ''),
  name text NOT NULL CHECK (name <> ''),
  PRIMARY KEY (plan_id, days, provider),
  UNIQUE (provider, name),
  FOREIGN KEY (plan_id, days) REFERENCES plan_offers ON DELETE CASCADE
);

ALTER TABLE plans
  ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  ADD COLUMN audience text NOT NULL DEFAULT 'vpn' CHECK (audience ~ '^[a-z_]{1,30}$'), -- which product it is of
  ADD COLUMN code text CHECK (code ~ '^[a-z0-9_-]{1,50}$'), -- how that product's programs call it
  ADD COLUMN is_popular boolean NOT NULL DEFAULT false,
  ADD COLUMN is_trial boolean NOT NULL DEFAULT false,
  ADD COLUMN traffic_reset text NOT NULL DEFAULT 'never'
    CHECK (traffic_reset IN ('never', 'daily', 'weekly', 'monthly', 'rolling')),
  ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object');
CREATE UNIQUE INDEX plans_code ON plans (audience, code);
CREATE INDEX plans_is_trial ON plans (position) WHERE is_trial;

ALTER TABLE subscriptions
  ADD COLUMN traffic_reset text NOT NULL DEFAULT 'never'
    CHECK (traffic_reset IN ('never', 'daily', 'weekly', 'monthly', 'rolling')),
  ADD COLUMN traffic_since timestamptz, -- when the last period began for which the whole limit was sold
  ADD COLUMN cancelled_at timestamptz,
  ADD COLUMN cancel_reason text,
  ADD COLUMN cancel_feedback text,
  -- How it is renewed while auto_renew: on these terms the owner has agreed.
  ADD COLUMN renewal_method uuid,      -- a saved payment method; null: only the balance
  ADD COLUMN renewal_days int,         -- null: the plan's default period
  ADD COLUMN renewal_currency text CHECK (renewal_currency ~ '^[A-Z]{3}$'),
  ADD COLUMN renewal_agreed_at timestamptz;
UPDATE subscriptions SET auto_renew = false, -- nobody could agree to it before
  cancelled_at = CASE WHEN status = 'cancelled' THEN updated_at END;
ALTER TABLE subscriptions
  ADD CHECK (NOT auto_renew OR (renewal_agreed_at IS NOT NULL AND renewal_currency IS NOT NULL));

-- What was done before and at the end of a subscription, each once whoever looks.
CREATE TABLE subscription_stages (
  subscription_id uuid NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
  ends_at timestamptz NOT NULL, -- of the subscription when it was done: after a renewal all begins anew
  stage text NOT NULL CHECK (stage IN ('announced', 'first', 'second', 'last', 'expired')),
  outcome text NOT NULL CHECK (outcome IN ('told', 'renewed', 'short', 'charging', 'failed')),
  claim_id uuid NOT NULL UNIQUE, -- of the purchase, so that it happens once
  at timestamptz NOT NULL,
  due_at timestamptz,            -- while charging: when somebody asks again
  PRIMARY KEY (subscription_id, ends_at, stage)
);
CREATE INDEX subscription_stages_due_at ON subscription_stages (due_at) WHERE due_at IS NOT NULL;
INSERT INTO subscription_stages (subscription_id, ends_at, stage, outcome, claim_id, at)
  SELECT id, expires_at, 'expired', 'told', gen_random_uuid(), expires_at FROM subscriptions
  WHERE expires_at < now();
