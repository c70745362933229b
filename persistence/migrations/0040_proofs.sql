-- One-time things: links, tickets, states, login tokens, challenges. Whoever shows the secret uses the row up.
CREATE TABLE one_time_proofs (
  hash text PRIMARY KEY,                 -- HMAC by a server key
  purpose text NOT NULL,
  account uuid REFERENCES accounts ON DELETE CASCADE, -- whom it is for; NULL: nobody in particular
  content jsonb NOT NULL,                -- what it was made for
  looks integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_proofs_account ON one_time_proofs (account, purpose);
CREATE INDEX one_time_proofs_expires_at ON one_time_proofs (expires_at);

DROP TABLE tickets; -- they live for 30 seconds, and are one-time proofs from now on

-- Codes by mail serve more than one purpose; each has its own code, tries and resends.
ALTER TABLE verification_codes ADD COLUMN purpose text NOT NULL DEFAULT 'verification';
ALTER TABLE verification_codes ALTER COLUMN purpose DROP DEFAULT;
ALTER TABLE verification_codes DROP CONSTRAINT verification_codes_pkey;
ALTER TABLE verification_codes ADD PRIMARY KEY (address, purpose);
