-- The one account store of all API families.
CREATE TABLE accounts (
  id uuid PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  login text NOT NULL CHECK (login ~ '^[a-zA-Z0-9_]{3,50}$'),
  email text CHECK (length(email) <= 254),
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('viewer', 'support', 'operator', 'admin', 'super_admin')),
  is_active boolean NOT NULL,
  is_email_verified boolean NOT NULL,
  telegram_id bigint UNIQUE,
  display_name text,
  locale text NOT NULL,
  tos_accepted_at timestamptz,
  created_at timestamptz NOT NULL,
  last_login_at timestamptz
);

CREATE UNIQUE INDEX accounts_login_key ON accounts (lower(login));
CREATE UNIQUE INDEX accounts_email_key ON accounts (lower(email));
