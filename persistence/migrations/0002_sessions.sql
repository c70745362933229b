-- The phones of an account, as their apps describe them.
CREATE TABLE devices (
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id text NOT NULL,
  platform text NOT NULL CHECK (platform IN ('ios', 'android')),
  platform_id text NOT NULL,
  os_version text NOT NULL,
  app_version text NOT NULL,
  device_model text NOT NULL,
  push_token text,
  registered_at timestamptz NOT NULL,
  last_active_at timestamptz NOT NULL,
  PRIMARY KEY (account, device_id)
);

-- A sign-in and what has become of it. Of refresh tokens only SHA-256 hashes are kept.
CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  account uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id text,
  address text NOT NULL,
  user_agent text NOT NULL,
  is_remembered boolean NOT NULL,
  generation integer NOT NULL,           -- of the newest refresh token
  refresh_hash text NOT NULL,            -- of the newest refresh token
  parent_hash text NOT NULL,             -- of the one before; empty in the first generation
  token_id text NOT NULL,                -- of the newest access token
  is_token_used boolean NOT NULL,        -- that access token has been seen
  created_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  FOREIGN KEY (account, device_id) REFERENCES devices (account, device_id)
);

CREATE INDEX sessions_account ON sessions (account, device_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
