-- A device that enrolled for biometric sign-in may never have described itself: nothing but its id is known then.
ALTER TABLE devices ALTER COLUMN platform DROP NOT NULL;
CREATE INDEX device_credentials_last_used_at ON device_credentials (last_used_at);
