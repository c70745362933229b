#include "actors/referrals/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "actors/notifications/store.hpp"
#include "actors/referrals/rules.hpp"
#include "actors/wallet/store.hpp"
#include "persistence/transaction.hpp"

#include <algorithm>

namespace backstay::referrals {

enum class reward_kind : std::uint8_t { commission, referrer_bonus, referred_bonus };
enum class reward_state : std::uint8_t { pending, credited, reversed };

} // namespace backstay::referrals

template <>
inline constexpr std::array backstay::names_of<backstay::referrals::reward_kind>{"commission", "referrer_bonus",
                                                                                 "referred_bonus"};
template <>
inline constexpr std::array backstay::names_of<backstay::referrals::reward_state>{"pending", "credited", "reversed"};

namespace backstay::referrals::store {

namespace {

using sql::get;

// ---- Codes

std::optional<std::string> find_code(transaction& tx, const account_id& account) {
  auto row = tx.first("SELECT code FROM referral_codes WHERE account_id = $1::uuid", account);
  return row ? std::optional{get<std::string>((*row)[0])} : std::nullopt;
}

} // namespace

// Killed before the commit: nobody has seen the code. A conflict is another account's code, and another one is drawn,
// or our own from a request at the same time, which is waited for and found.
std::string code_of(transaction& tx, const account_id& account, timestamp now) {
  for (int tries = 0; tries < 10; ++tries) {
    if (auto code = find_code(tx, account)) return *code;
    tx.run("INSERT INTO referral_codes (account_id, code, created_at) VALUES ($1::uuid, $2, $3) ON CONFLICT DO NOTHING",
           account, code_from(crypto::random_bytes(8)), now);
  }
  fail(ec::internal, "no free referral code was found");
}

// ---- Joining

namespace {

struct referrer {
  account_id account;
  std::string locale;
};

std::optional<referrer> find_referrer(transaction& tx, const std::string& code) {
  auto row = tx.first("SELECT a.id, a.locale FROM referral_codes c JOIN accounts a ON a.id = c.account_id "
                      "WHERE c.code = $1 AND a.deleted_at IS NULL",
                      code);
  if (!row) return std::nullopt;
  return referrer{get<account_id>((*row)["id"]), get<std::string>((*row)["locale"])};
}

bool has_device(transaction& tx, const account_id& account, const std::optional<std::string>& device_id) {
  return device_id && tx.first("SELECT 1 FROM devices WHERE account = $1::uuid AND lower(device_id) = lower($2)",
                               account, *device_id);
}

bool is_same_person(transaction& tx, const account_id& referrer, const newcomer& who) {
  auto& browser = who.origin.known_device;
  return referrer == who.account || (browser && browser->account == referrer) ||
         has_device(tx, referrer, who.device_id);
}

/// Whether the referrer has been seen, as far as we remember, in the address block that the newcomer comes from.
bool is_near(transaction& tx, const account_id& referrer, const newcomer& who) {
  auto block = block_of(who.origin.address);
  auto rows = tx.run("SELECT DISTINCT address FROM sessions WHERE account = $1::uuid", referrer);
  return std::any_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return block_of(get<std::string>(row[0])) == block; });
}

notifications::store::notice joined_notice(const std::string& locale) {
  auto kind = live::notification_kind::referral_joined;
  if (is_russian(locale))
    return {kind, "Новый реферал", "По вашему приглашению появилась новая учётная запись", "/referral"};
  return {kind, "Somebody joined", "A new account was made by your invitation", "/referral"};
}

} // namespace

// Killed before the commit: there is no new account either.
bool join(transaction& tx, const terms& terms, const newcomer& who, const std::string& typed, timestamp now) {
  auto code = read_code(typed);
  if (!terms.is_enabled || !code) return false;
  auto referrer = find_referrer(tx, *code);
  if (!referrer || is_same_person(tx, referrer->account, who)) return false;
  auto rows = tx.run(
      "INSERT INTO referrals (id, referred_id, referrer_id, code, joined_at, percent, currency, minimum, "
      "referred_bonus, referrer_bonus, hold_seconds, may_bring_bonuses, marks) VALUES ($1::uuid, $2::uuid, $3::uuid, "
      "$4, $5, $6::int, $7, $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::boolean, $13::text[]) "
      "ON CONFLICT (referred_id) DO NOTHING",
      uuid::random(), who.account, referrer->account, *code, now, terms.percent, terms.currency, terms.minimum,
      terms.referred_bonus, terms.referrer_bonus, terms.hold.count(), !is_near(tx, referrer->account, who),
      marks_of(who));
  if (rows.affected_rows() == 0) return false;
  notifications::store::notify(tx, referrer->account, joined_notice(referrer->locale), now);
  return true;
}

// ---- Rewards

namespace {

struct agreement {
  uuid id;
  account_id referred, referrer;
  store::terms terms;
};

/// Locked, so that two first payments of one account do not both bring the bonuses.
std::optional<agreement> lock_agreement(transaction& tx, const account_id& payer) {
  auto row = tx.first("SELECT r.* FROM referrals r JOIN accounts a ON a.id = r.referrer_id "
                      "WHERE r.referred_id = $1::uuid AND a.deleted_at IS NULL FOR UPDATE OF r",
                      payer);
  if (!row) return std::nullopt;
  return agreement{.id = get<uuid>((*row)["id"]),
                   .referred = payer,
                   .referrer = get<account_id>((*row)["referrer_id"]),
                   .terms = {.percent = get<int>((*row)["percent"]),
                             .currency = get<std::string>((*row)["currency"]),
                             .minimum = get<std::int64_t>((*row)["minimum"]),
                             .referred_bonus = get<std::int64_t>((*row)["referred_bonus"]),
                             .referrer_bonus = get<std::int64_t>((*row)["referrer_bonus"]),
                             .hold = std::chrono::seconds{get<std::int64_t>((*row)["hold_seconds"])}}};
}

struct reward_row {
  payment_id payment;
  reward_kind kind = reward_kind::commission;
  account_id account;
  money amount;
  reward_state state = reward_state::pending;
};

/// The cause of a reward in the ledger, and of its reversal.
std::string cause_of(const reward_row& what) {
  return to_string(what.payment) + (what.kind == reward_kind::commission ? "" : " " + std::string{name_of(what.kind)});
}

void credit(transaction& tx, const reward_row& what, timestamp now) {
  wallet::store::credit(tx, what.account, wallet::rewards(), what.amount,
                        {wallet::cause_kind::referral, cause_of(what)}, now);
}

/// False when the payment has brought it already.
bool insert(transaction& tx, const agreement& deal, const reward_row& what, timestamp due_at, timestamp now) {
  return tx.run("INSERT INTO referral_rewards (payment_id, kind, referral_id, account_id, amount, currency, state, "
                "due_at, created_at) VALUES ($1::uuid, $2, $3::uuid, $4::uuid, $5::bigint, $6, $7, $8, $9) "
                "ON CONFLICT DO NOTHING",
                what.payment, what.kind, deal.id, what.account, what.amount.minor, what.amount.currency, what.state,
                due_at, now)
             .affected_rows() > 0;
}

/// The first payment that could bring the bonuses decides: they come if nobody had any from the same device, browser
/// and address block.
bool take_bonuses(transaction& tx, const agreement& deal, timestamp now) {
  auto row = tx.first("UPDATE referrals SET may_bring_bonuses = false WHERE id = $1::uuid AND may_bring_bonuses "
                      "RETURNING marks",
                      deal.id);
  if (!row) return false;
  auto marks = get<std::vector<std::string>>((*row)["marks"]);
  std::sort(marks.begin(), marks.end()); // two at the same time wait for each other in one order
  auto fresh = tx.run("INSERT INTO referral_marks (mark, used_at) SELECT mark, $2 FROM unnest($1::text[]) WITH "
                      "ORDINALITY AS all_marks (mark, place) ORDER BY place ON CONFLICT DO NOTHING",
                      marks, now);
  return static_cast<std::size_t>(fresh.affected_rows()) == marks.size();
}

void promise_bonuses(transaction& tx, const agreement& deal, const payment_id& payment, timestamp now) {
  auto& terms = deal.terms;
  auto due_at = now + terms.hold;
  if (terms.referrer_bonus > 0)
    insert(tx, deal, {payment, reward_kind::referrer_bonus, deal.referrer, {terms.referrer_bonus, terms.currency}},
           due_at, now);
  if (terms.referred_bonus > 0)
    insert(tx, deal, {payment, reward_kind::referred_bonus, deal.referred, {terms.referred_bonus, terms.currency}},
           due_at, now);
}

reward_row read_reward(const pqxx::row& row) {
  return {.payment = get<payment_id>(row["payment_id"]),
          .kind = get<reward_kind>(row["kind"]),
          .account = get<account_id>(row["account_id"]),
          .amount = {get<std::int64_t>(row["amount"]), get<std::string>(row["currency"])},
          .state = get<reward_state>(row["state"])};
}

void set_state(transaction& tx, const reward_row& what, reward_state next) {
  tx.run("UPDATE referral_rewards SET state = $3 WHERE payment_id = $1::uuid AND kind = $2", what.payment, what.kind,
         next);
}

} // namespace

// Killed before the commit: the payment is not settled either, and its next sight does both.
void reward(transaction& tx, const account_id& payer, const payment_id& payment, const money& paid, timestamp now) {
  auto deal = lock_agreement(tx, payer);
  if (!deal) return;
  reward_row share{payment, reward_kind::commission, deal->referrer, commission(paid, deal->terms.percent),
                   reward_state::credited};
  if (brings_bonuses(deal->terms, paid) && take_bonuses(tx, *deal, now)) promise_bonuses(tx, *deal, payment, now);
  if (share.amount.minor > 0 && insert(tx, *deal, share, now, now)) credit(tx, share, now);
}

// Killed before the commit: the payment is not refunded either, and its next sight does both.
void reverse(transaction& tx, const payment_id& payment, timestamp now) {
  for (auto row : tx.run("SELECT * FROM referral_rewards WHERE payment_id = $1::uuid AND state <> 'reversed' "
                         "ORDER BY kind FOR UPDATE",
                         payment)) {
    auto given = read_reward(row);
    set_state(tx, given, reward_state::reversed);
    if (given.state == reward_state::credited)
      wallet::store::take_back(tx, given.account, wallet::rewards(), given.amount,
                               {wallet::cause_kind::referral, cause_of(given) + " reversed"}, now);
  }
}

// The row's lock keeps the other nodes and a refund away. Killed before the commit: it is still due.
bool credit_due(transaction& tx, timestamp now) {
  auto row = tx.first("SELECT * FROM referral_rewards WHERE state = 'pending' AND due_at <= $1 "
                      "ORDER BY due_at, payment_id, kind LIMIT 1 FOR UPDATE SKIP LOCKED",
                      now);
  if (!row) return false;
  auto due = read_reward(*row);
  set_state(tx, due, reward_state::credited);
  credit(tx, due, now);
  return true;
}

// ---- Reading

namespace {

std::vector<earnings> list_earnings(transaction& tx, const account_id& account, const std::string& currency) {
  std::vector<earnings> all;
  auto add = [&](const std::string& in, std::int64_t credited, std::int64_t pending) {
    auto wallet = wallet::store::balance_of(tx, account, in);
    all.push_back({{credited, in}, {pending, in}, {withdrawable(credited, wallet), in}});
  };
  for (auto row :
       tx.run("SELECT currency, coalesce(sum(amount) FILTER (WHERE state = 'credited'), 0)::bigint AS credited, "
              "coalesce(sum(amount) FILTER (WHERE state = 'pending'), 0)::bigint AS pending "
              "FROM referral_rewards WHERE account_id = $1::uuid GROUP BY currency "
              "ORDER BY max(created_at) DESC, currency",
              account))
    add(get<std::string>(row["currency"]), get<std::int64_t>(row["credited"]), get<std::int64_t>(row["pending"]));
  if (all.empty()) add(currency, 0, 0);
  return all;
}

} // namespace

standing find_standing(transaction& tx, const account_id& account, const std::string& currency, timestamp now) {
  auto row = *tx.first("SELECT count(*) AS invited, count(*) FILTER (WHERE s.expires_at > $2::timestamptz) AS active, "
                       "count(*) FILTER (WHERE s.expires_at <= $2::timestamptz) AS expired, "
                       "count(*) FILTER (WHERE EXISTS (SELECT FROM payments p WHERE p.account_id = r.referred_id "
                       "AND p.state = 'paid')) AS paid "
                       "FROM referrals r LEFT JOIN subscriptions s ON s.account_id = r.referred_id "
                       "WHERE r.referrer_id = $1::uuid",
                       account, now);
  return {.invited = get<std::int64_t>(row["invited"]),
          .active = get<std::int64_t>(row["active"]),
          .expired = get<std::int64_t>(row["expired"]),
          .paid = get<std::int64_t>(row["paid"]),
          .earnings = list_earnings(tx, account, currency)};
}

referral_list list(transaction& tx, const list_referrals& wanted, timestamp now) {
  referral_list found;
  found.is_for_device =
      tx.first("SELECT 1 FROM sessions WHERE id = $1::uuid AND device_id IS NOT NULL", wanted.caller.session)
          .has_value();
  for (auto row :
       tx.run("SELECT r.id, r.code, r.joined_at, coalesce(a.email, '') AS email, "
              "CASE WHEN s.expires_at IS NULL THEN 'pending' WHEN s.expires_at > $2::timestamptz THEN 'active' "
              "ELSE 'completed' END AS progress, "
              "coalesce(e.amount, 0) AS amount, coalesce(e.currency, r.currency) AS currency "
              "FROM referrals r JOIN accounts a ON a.id = r.referred_id "
              "LEFT JOIN subscriptions s ON s.account_id = r.referred_id "
              "LEFT JOIN LATERAL (SELECT currency, coalesce(sum(amount) FILTER (WHERE state = 'credited'), 0)::bigint "
              "AS amount FROM referral_rewards w WHERE w.referral_id = r.id AND w.account_id = r.referrer_id "
              "GROUP BY currency ORDER BY max(created_at) DESC, currency LIMIT 1) e ON true "
              "WHERE r.referrer_id = $1::uuid ORDER BY r.joined_at DESC, r.id LIMIT $3::bigint",
              wanted.caller.account, now, wanted.limit))
    found.items.push_back({.id = get<uuid>(row["id"]),
                           .code = get<std::string>(row["code"]),
                           .masked_email = mask(get<std::string>(row["email"])),
                           .progress = get<referrals::progress>(row["progress"]),
                           .earned = {get<std::int64_t>(row["amount"]), get<std::string>(row["currency"])},
                           .joined_at = get<timestamp>(row["joined_at"])});
  return found;
}

} // namespace backstay::referrals::store
