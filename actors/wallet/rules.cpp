#include "actors/wallet/rules.hpp"

#include <algorithm>
#include <cstdlib>

namespace backstay::wallet {

book wallet_of(const account_id& account) { return {book_kind::wallet, to_string(account)}; }
book debt_of(const account_id& account) { return {book_kind::debt, to_string(account)}; }
book provider(const std::string& name) { return {book_kind::provider, name}; }
book revenue() { return {book_kind::revenue, {}}; }
book rewards() { return {book_kind::rewards, {}}; }
book adjustments() { return {book_kind::adjustments, {}}; }

namespace {

bool is_currency(const std::string& text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// The cause of a debt that `why` makes or pays.
cause debt_by(const cause& why) { return {cause_kind::debt, std::string{name_of(why.kind)} + " " + why.id}; }

} // namespace

void check(const transfer& what) {
  if (what.amount.minor <= 0 || what.amount.minor > most) fail(ec::internal, "a transfer moves a positive amount");
  if (!is_currency(what.amount.currency)) fail(ec::internal, "a transfer has a currency");
  if (what.from == what.to) fail(ec::internal, "a transfer has two sides");
  if (what.cause.id.empty()) fail(ec::internal, "a transfer has a cause");
}

position source_of(const transfer& what) { return {what.from, what.amount.currency}; }
position target_of(const transfer& what) { return {what.to, what.amount.currency}; }

namespace {

/// `refused`; the details tell what is missing as a decimal number.
fault insufficient_funds(const money& missing) {
  return {.code = ec::refused,
          .message = "Insufficient funds",
          .name = "INSUFFICIENT_FUNDS",
          .details = {{"missing", to_decimal(missing)}, {"currency", '"' + missing.currency + '"'}}};
}

outcome<transferred> move(open_books& books, const transfer& what) {
  auto &from = books[source_of(what)], &to = books[target_of(what)];
  auto& amount = what.amount;
  if (what.from.kind == book_kind::wallet && from < amount.minor)
    return insufficient_funds({amount.minor - from, amount.currency});
  if (what.to.kind == book_kind::debt && -to < amount.minor) fail(ec::internal, "more is paid than is owed");
  from -= amount.minor;
  to += amount.minor;
  return transferred{true};
}

} // namespace

std::vector<outcome<transferred>> judge(open_books& books, std::set<cause> known,
                                        const std::vector<transfer>& transfers) {
  std::vector<outcome<transferred>> outcomes;
  for (auto& each : transfers) {
    outcomes.push_back(known.contains(each.cause) ? transferred{false} : move(books, each));
    if (outcomes.back() == outcome<transferred>{transferred{true}}) known.insert(each.cause);
  }
  return outcomes;
}

std::vector<transfer> paying_debt(const transfer& credit, std::int64_t owed) {
  std::vector<transfer> all{credit};
  money paid{std::min(credit.amount.minor, owed), credit.amount.currency};
  if (paid.minor > 0)
    all.push_back({debt_by(credit.cause), credit.to, {book_kind::debt, credit.to.owner}, std::move(paid)});
  return all;
}

std::vector<transfer> lending(const transfer& taken, std::int64_t balance) {
  std::vector<transfer> all;
  money lacking{taken.amount.minor - balance, taken.amount.currency};
  if (lacking.minor > 0)
    all.push_back({debt_by(taken.cause), {book_kind::debt, taken.from.owner}, taken.from, std::move(lacking)});
  all.push_back(taken);
  return all;
}

money amount_of(const adjust& command) {
  auto amount = from_decimal(command.amount, command.currency);
  if (!amount) fail_field("amount", "Input should be a decimal number with no more digits than the currency has");
  if (amount->minor == 0 || std::abs(amount->minor) > most) fail_field("amount", "Input is zero or too large");
  return *amount;
}

} // namespace backstay::wallet
