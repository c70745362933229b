-- Effects that leave the database, written in the transaction of their cause and carried out afterwards.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL, -- no CHECK: of a rolling update the old servers leave alone what they do not know
  payload jsonb NOT NULL,
  deduplication text UNIQUE,
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,       -- while somebody works on it: when his lease ends, and it is due for others
  claims bigint NOT NULL DEFAULT 0,  -- how often it was taken; names the lease
  attempts int NOT NULL DEFAULT 0,   -- how often it failed
  done_at timestamptz,
  dead_at timestamptz,
  cause text,                        -- of the last failure
  CHECK (done_at IS NULL OR dead_at IS NULL)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE done_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;
