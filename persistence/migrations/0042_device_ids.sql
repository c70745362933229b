-- A session may belong to a device that has not described itself: one that enrolled for biometric sign-in after a
-- sign-in without its description.
ALTER TABLE sessions DROP CONSTRAINT sessions_account_device_id_fkey;
CREATE INDEX device_credentials_last_used_at ON device_credentials (last_used_at);
