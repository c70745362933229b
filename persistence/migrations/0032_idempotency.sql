-- An `Idempotency-Key` of an account on a route, for a day.
CREATE TABLE idempotency_keys (
  account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  route text NOT NULL,
  key text NOT NULL,
  claim_id uuid NOT NULL UNIQUE, -- kept by the row of the effect
  body_hash text NOT NULL,
  lease_until timestamptz NOT NULL, -- until then somebody works on it
  expires_at timestamptz NOT NULL,
  status int,                       -- of the stored answer; null: none yet
  answer text,
  PRIMARY KEY (account_id, route, key),
  CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
