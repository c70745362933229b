-- What happens on a topic is in the stream beside what happens to accounts: numbered, announced and kept alike.
ALTER TABLE live_events
  ALTER COLUMN account_id DROP NOT NULL,
  ADD COLUMN topic text CHECK (topic IN ('servers', 'users', 'system', 'payments', 'general')),
  ADD CONSTRAINT live_events_whom CHECK (num_nonnulls(account_id, topic) = 1),
  DROP CONSTRAINT live_events_kind_check,
  ADD CONSTRAINT live_events_kind CHECK (kind IN ('server_status_changed', 'subscription_updated',
                                                  'notification_received', 'force_disconnect', 'payment_changed',
                                                  'account_changed'));
