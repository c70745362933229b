-- The inbox of each account.
CREATE TABLE notifications (
  id uuid PRIMARY KEY, -- the same on the socket and in a push
  account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('subscription_expiring', 'expired', 'payment_confirmed', 'referral_joined',
                                     'security_alert', 'promotional', 'server_maintenance', 'app_update')),
  title text NOT NULL,
  body text NOT NULL,
  action_route text,
  created_at timestamptz NOT NULL,
  read_at timestamptz
);
CREATE INDEX notifications_account_id ON notifications (account_id, created_at DESC);
CREATE INDEX notifications_unread ON notifications (account_id) WHERE read_at IS NULL;
