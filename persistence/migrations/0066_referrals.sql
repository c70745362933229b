-- What an account invites others by; made when it is first read.
CREATE TABLE referral_codes (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  code text NOT NULL UNIQUE CHECK (code ~ '^[A-HJ-NP-Z2-9]{8}$'),
  created_at timestamptz NOT NULL
);

-- Who was invited by whom, with the terms of that day: a later change of the settings does not change the deal.
CREATE TABLE referrals (
  id uuid PRIMARY KEY,
  referred_id uuid NOT NULL UNIQUE REFERENCES accounts ON DELETE CASCADE,
  referrer_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  code text NOT NULL,
  joined_at timestamptz NOT NULL,
  percent int NOT NULL CHECK (percent BETWEEN 0 AND 100),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'), -- of the amounts below
  minimum bigint NOT NULL CHECK (minimum >= 0),
  referred_bonus bigint NOT NULL CHECK (referred_bonus >= 0),
  referrer_bonus bigint NOT NULL CHECK (referrer_bonus >= 0),
  hold_seconds bigint NOT NULL CHECK (hold_seconds >= 0),
  may_bring_bonuses boolean NOT NULL, -- until the first payment that could
  marks text[] NOT NULL,              -- digests of the device and the address block that the account was made from
  CHECK (referred_id <> referrer_id)
);
CREATE INDEX referrals_referrer_id ON referrals (referrer_id, joined_at DESC, id);

-- Devices and address blocks that have brought bonuses: each does so once, whoever sits there.
CREATE TABLE referral_marks (
  mark text PRIMARY KEY,
  used_at timestamptz NOT NULL
);

-- What payments of invited accounts brought. A row stands for its transfer: the ledger has it while it is credited.
CREATE TABLE referral_rewards (
  payment_id uuid NOT NULL REFERENCES payments,
  kind text NOT NULL CHECK (kind IN ('commission', 'referrer_bonus', 'referred_bonus')),
  referral_id uuid NOT NULL REFERENCES referrals ON DELETE CASCADE,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE, -- who gets it
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  state text NOT NULL CHECK (state IN ('pending', 'credited', 'reversed')),
  due_at timestamptz NOT NULL, -- when a pending one is credited
  created_at timestamptz NOT NULL,
  PRIMARY KEY (payment_id, kind)
);
CREATE UNIQUE INDEX referral_rewards_bonus ON referral_rewards (referral_id, kind) WHERE kind <> 'commission';
CREATE INDEX referral_rewards_referral_id ON referral_rewards (referral_id);
CREATE INDEX referral_rewards_account_id ON referral_rewards (account_id, currency);
CREATE INDEX referral_rewards_due_at ON referral_rewards (due_at) WHERE state = 'pending';
