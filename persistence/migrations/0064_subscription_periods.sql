-- What an account's entitlement is made of: each row is a stretch of time that one cause has brought. The stretches of
-- an account follow one another without overlap; those that are not over are all of its subscription's plan.
CREATE TABLE subscription_periods (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  plan_id uuid NOT NULL REFERENCES plans (id),
  source text NOT NULL CHECK (source IN ('payment', 'purchase', 'trial', 'promo', 'bonus', 'admin')),
  cause text NOT NULL CHECK (cause <> ''),
  -- Of what was left when another plan took its place; the rest of that cause then.
  carried_from bigint UNIQUE REFERENCES subscription_periods (id) ON DELETE CASCADE,
  days int NOT NULL CHECK (days >= 0),           -- as granted; 0: what was carried
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  paid bigint NOT NULL CHECK (paid >= 0),        -- as granted
  worth bigint NOT NULL CHECK (worth >= 0),      -- of `paid`, what this stretch stands for
  currency text NOT NULL CHECK (currency = '' OR currency ~ '^[A-Z]{3}$'), -- empty: nothing was paid
  granted_at timestamptz NOT NULL,
  taken_back_at timestamptz,
  CHECK (ends_at >= starts_at),
  CHECK (currency <> '' OR (paid = 0 AND worth = 0))
);
-- What makes a cause count once.
CREATE UNIQUE INDEX subscription_periods_cause ON subscription_periods (source, cause) WHERE carried_from IS NULL;
CREATE INDEX subscription_periods_of_cause ON subscription_periods (source, cause);
CREATE INDEX subscription_periods_account_id ON subscription_periods (account_id, ends_at);
CREATE INDEX subscription_periods_plan_id ON subscription_periods (plan_id);

-- What was granted before there were periods. A subscription that was bought is laid out backwards from its end, one
-- stretch a payment since it began; the first one has what was carried into it, too. Payments before that are over.
WITH paid AS (
  SELECT p.*, s.started_at, s.expires_at AS until_end, p.plan_id = s.plan_id AND p.settled_at >= s.started_at AS counts
  FROM payments p JOIN subscriptions s USING (account_id) WHERE p.state = 'paid' AND p.plan_id IS NOT NULL
), placed AS (
  SELECT *, row_number() OVER latest_first = count(*) FILTER (WHERE counts) OVER (PARTITION BY account_id) AS is_first,
    until_end - coalesce(sum(duration_days) FILTER (WHERE counts) OVER (latest_first ROWS BETWEEN UNBOUNDED PRECEDING
      AND 1 PRECEDING), 0) * interval '1 day' AS until
  FROM paid WINDOW latest_first AS (PARTITION BY account_id ORDER BY counts DESC, settled_at DESC, id)
)
INSERT INTO subscription_periods (account_id, plan_id, source, cause, days, starts_at, ends_at, paid, worth, currency,
                                  granted_at)
SELECT account_id, plan_id, 'payment', id::text, duration_days,
  CASE WHEN NOT counts THEN settled_at WHEN is_first THEN least(started_at, until)
       ELSE greatest(until - duration_days * interval '1 day', least(started_at, until)) END,
  CASE WHEN counts THEN until ELSE settled_at END, amount, CASE WHEN counts THEN amount ELSE 0 END, currency, settled_at
FROM placed;
INSERT INTO subscription_periods (account_id, plan_id, source, cause, days, starts_at, ends_at, paid, worth, currency,
                                  granted_at)
SELECT account_id, plan_id, 'admin', 'before periods ' || id, 0, least(started_at, expires_at), expires_at, 0, 0, '',
  started_at
FROM subscriptions s WHERE NOT EXISTS (SELECT FROM subscription_periods p WHERE p.account_id = s.account_id
                                         AND p.ends_at = s.expires_at);
