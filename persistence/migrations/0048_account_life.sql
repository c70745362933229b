ALTER TABLE accounts
  ADD COLUMN pending_email text CHECK (length(pending_email) <= 254), -- wanted; takes effect once its code was shown
  ADD COLUMN notification_preferences jsonb NOT NULL DEFAULT '{}'     -- kind → {"push", "email", "in_app"}
    CHECK (jsonb_typeof(notification_preferences) = 'object'),
  ADD COLUMN purged_at timestamptz;                                   -- what was personal is gone

-- Devices that were only named, not described: what is not known of them is empty, the platform NULL.
ALTER TABLE devices
  ALTER COLUMN platform DROP NOT NULL,
  ADD COLUMN name text,                  -- given by the owner or the app
  ADD COLUMN push_token_at timestamptz;  -- when the push token was last confirmed
UPDATE devices SET push_token_at = last_active_at WHERE push_token IS NOT NULL;
CREATE INDEX devices_push_token ON devices (push_token) WHERE push_token IS NOT NULL;
CREATE INDEX devices_push_token_at ON devices (push_token_at) WHERE push_token IS NOT NULL;

-- A device that is removed leaves its ended sessions behind.
ALTER TABLE sessions DROP CONSTRAINT sessions_account_device_id_fkey;
ALTER TABLE sessions ADD CONSTRAINT sessions_account_device_id_fkey FOREIGN KEY (account, device_id)
  REFERENCES devices (account, device_id) ON DELETE SET NULL (device_id);
CREATE INDEX accounts_pending_email ON accounts (lower(pending_email)) WHERE pending_email IS NOT NULL;
