-- Pictures of accounts, as they are served: re-encoded PNG, some hundred kilobytes at most.
CREATE TABLE avatars (
  name text PRIMARY KEY,                 -- random
  account uuid NOT NULL UNIQUE REFERENCES accounts ON DELETE CASCADE,
  png bytea NOT NULL,
  created_at timestamptz NOT NULL
);
