-- What is told to an account's sockets. Kept for a day, so that a node can catch up with what it did not hear.
CREATE TABLE live_events (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sequence bigint UNIQUE, -- its place in the stream; given at commit, see below
  account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('server_status_changed', 'subscription_updated', 'notification_received',
                                     'force_disconnect')),
  event jsonb NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX live_events_account_id ON live_events (account_id);
CREATE INDEX live_events_created_at ON live_events (created_at);

CREATE SEQUENCE live_event_sequence OWNED BY live_events.sequence;

-- A node that has read up to sequence n must never find a smaller one later. Numbers drawn at the insert would become
-- visible in the order of the commits instead; so they are drawn as the last act of the transaction, one transaction
-- at a time. The lock is held no longer than the one that NOTIFY takes there anyway, and cannot deadlock: after it no
-- other is taken.
CREATE FUNCTION number_live_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  place bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7227813);
  UPDATE live_events SET sequence = nextval('live_event_sequence') WHERE entry = NEW.entry RETURNING sequence INTO place;
  IF FOUND THEN
    PERFORM pg_notify('live_events', place::text);
  END IF;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER live_events_number AFTER INSERT ON live_events
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION number_live_event();
