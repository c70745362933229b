-- More kinds of books: what an account owes, what rewards cost us, what administrators gave and took.
ALTER TABLE ledger_books
  DROP CONSTRAINT ledger_books_kind_check,
  ADD CONSTRAINT ledger_books_kind_check
    CHECK (kind IN ('wallet', 'debt', 'provider', 'revenue', 'rewards', 'adjustments')),
  ADD CONSTRAINT ledger_books_debt_is_owed CHECK (kind <> 'debt' OR balance <= 0);
