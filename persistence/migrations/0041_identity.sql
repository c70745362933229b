-- An empty password_hash: no password, in by other ways only.
ALTER TABLE accounts
  ADD COLUMN bio text,
  ADD COLUMN avatar_url text,
  ADD COLUMN preferences jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(preferences) = 'object'),
  ADD COLUMN updated_at timestamptz,
  ADD COLUMN locked_at timestamptz,      -- by an administrator, until unlocked by one
  ADD COLUMN lock_reason text,
  ADD COLUMN deleted_at timestamptz;     -- by its owner; what is personal goes 30 days later
UPDATE accounts SET updated_at = created_at;
ALTER TABLE accounts ALTER COLUMN updated_at SET NOT NULL;
CREATE INDEX accounts_created_at ON accounts (created_at DESC, id);
CREATE INDEX accounts_deleted_at ON accounts (deleted_at) WHERE deleted_at IS NOT NULL;

-- Accounts at outside providers that sign in to ours.
CREATE TABLE identities (
  provider text NOT NULL,
  subject text NOT NULL,                 -- the provider's id of the person
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  username text,
  email text,
  linked_at timestamptz NOT NULL,
  PRIMARY KEY (provider, subject),
  UNIQUE (account, provider)
);
INSERT INTO identities (provider, subject, account, linked_at)
  SELECT 'telegram', telegram_id::text, id, created_at FROM accounts WHERE telegram_id IS NOT NULL;
ALTER TABLE accounts DROP COLUMN telegram_id;

-- The second factor (RFC 6238). The secret is sealed with a key derived from the server's.
CREATE TABLE authenticators (
  account uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  sealed_secret text NOT NULL,
  created_at timestamptz NOT NULL,
  confirmed_at timestamptz,              -- NULL: set up, but the first code was not shown yet
  last_step bigint NOT NULL DEFAULT 0    -- the newest time step whose code was used
);
CREATE TABLE recovery_codes (
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  hash text NOT NULL,                    -- HMAC by a server key
  PRIMARY KEY (account, hash)
);

-- What a phone keeps behind its fingerprint reader: a token, a key pair, or both.
CREATE TABLE device_credentials (
  id uuid PRIMARY KEY,
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id text NOT NULL,
  token_hash text UNIQUE,                -- HMAC by a server key
  public_key text,                       -- P-256, SubjectPublicKeyInfo in base64
  created_at timestamptz NOT NULL,
  last_used_at timestamptz NOT NULL,
  UNIQUE (account, device_id)
);

ALTER TABLE sessions
  ADD COLUMN is_rotating boolean NOT NULL DEFAULT true, -- whether its refresh token changes with each use
  ADD COLUMN last_seen_at timestamptz,
  ADD COLUMN reauthenticated_at timestamptz;            -- the password was shown again for something sensitive
UPDATE sessions SET last_seen_at = rotated_at;
ALTER TABLE sessions ALTER COLUMN last_seen_at SET NOT NULL, ALTER COLUMN is_rotating DROP DEFAULT;

-- Every sensitive act: who did what to whom, when and from where. Rows are only added.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  action text NOT NULL,                  -- "auth.login.success", "user.role.change"
  result text NOT NULL CHECK (result IN ('success', 'failure', 'denied')),
  actor uuid,                            -- account; NULL: nobody was signed in. No reference: the trail outlives accounts
  subject uuid,                          -- account that it was done to
  resource text,                         -- what else it was about, as "kind:id"
  address text NOT NULL,
  user_agent text NOT NULL,
  request_id text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at DESC, id DESC);
CREATE INDEX audit_actor ON audit (actor, at DESC);
CREATE INDEX audit_subject ON audit (subject, at DESC);
CREATE INDEX audit_action ON audit (action, at DESC);
