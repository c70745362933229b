-- The code sent to an address, and the tries and resends counted for it. There is a row for every address that was
-- asked about, with or without an account, so that both get the same answers. `address` is in lower case.
CREATE TABLE verification_codes (
  address text PRIMARY KEY,
  code_hash text,                        -- HMAC by a server key; NULL: no code was sent
  started_at timestamptz NOT NULL,       -- of the code, or of the first try without one
  failures integer NOT NULL,             -- since then
  is_consumed boolean NOT NULL,
  resend_window_started_at timestamptz NOT NULL,
  resends integer NOT NULL,              -- in that window
  last_resend_at timestamptz NOT NULL
);

CREATE INDEX verification_codes_started_at ON verification_codes (started_at);

-- How often something was tried: a row for each budget that is in use.
-- Keys: "guess:account:<id>", "guess:identifier:<HMAC>", "mail:<HMAC>".
CREATE TABLE budgets (
  key text PRIMARY KEY,
  minute_started_at timestamptz NOT NULL,
  minute_count bigint NOT NULL,
  hour_started_at timestamptz NOT NULL,
  hour_count bigint NOT NULL,
  last_at timestamptz NOT NULL
);

CREATE INDEX budgets_last_at ON budgets (last_at);

-- Each opens one WebSocket. `hash` is a SHA-256.
CREATE TABLE tickets (
  hash text PRIMARY KEY,
  session uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);

CREATE INDEX tickets_session ON tickets (session);
CREATE INDEX tickets_expires_at ON tickets (expires_at);
