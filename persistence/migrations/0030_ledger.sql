-- The double-entry ledger. A book is one owner's money in one currency; a transfer moves an amount between two books
-- for one cause; its two entries sum to zero. Balances are kept beside the entries: `doctor ledger` compares them.
CREATE TABLE ledger_books (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('wallet', 'provider', 'revenue')),
  owner text NOT NULL, -- wallet: the account's id; provider: its name; revenue: empty
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  balance bigint NOT NULL DEFAULT 0,
  UNIQUE (kind, owner, currency),
  CONSTRAINT ledger_books_no_debt CHECK (kind <> 'wallet' OR balance >= 0)
);

CREATE TABLE ledger_transfers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cause_kind text NOT NULL CHECK (cause_kind <> ''),
  cause_id text NOT NULL CHECK (cause_id <> ''),
  created_at timestamptz NOT NULL,
  UNIQUE (cause_kind, cause_id) -- what makes a transfer happen once
);

CREATE TABLE ledger_entries (
  transfer_id bigint NOT NULL REFERENCES ledger_transfers (id),
  book_id bigint NOT NULL REFERENCES ledger_books (id),
  amount bigint NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (transfer_id, book_id)
);
CREATE INDEX ledger_entries_book_id ON ledger_entries (book_id, transfer_id);
