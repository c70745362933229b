#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

namespace backstay::http::mobile {

namespace {

using referrals::invitation;
using referrals::referral;
using referrals::standing;

constexpr rule code = example(R"("K7QWX2MP")");

/// The currency of the latest reward: clients have room for one amount.
const referrals::earnings& latest(const standing& s) { return s.earnings.front(); }

const std::string& code_of(const standing& s) { return s.invitation.code; }
std::string currency_of(const standing& s) { return latest(s).credited.currency; }
money withdrawable(const standing& s) { return latest(s).withdrawable; }
money credited(const standing& s) { return latest(s).credited; }

double commission_rate(const standing& s) { return s.percent / 100.0; }

constexpr shape status{
    field("referral_code", code_of, code),
    field("is_active", &standing::is_enabled, "New accounts are counted"),
    field("total_referrals", &standing::invited),
    field("reward_balance", withdrawable, example("10.0"), "What the wallet still has of it"),
    field("currency", currency_of, example(R"("RUB")"), "Of the amounts: that of the latest reward"),
    field("enabled", &standing::is_enabled, "The same as is_active"),
    field("commission_rate", commission_rate, example("0.25"), "The share of a payment, for those who join now"),
};

constexpr shape invitation_shape{
    field("code", &invitation::code, code),
    field("referral_code", &invitation::code, code, "The same again"),
    field("share_url", &invitation::share_url, example(R"("https://example.com/r/K7QWX2MP")")),
};

constexpr shape earnings{
    field(
        "currency", [](const referrals::earnings& e) { return e.credited.currency; }, example(R"("RUB")")),
    field("earned", &referrals::earnings::credited),
    field("pending", &referrals::earnings::pending, "Bonuses that wait for the end of their hold"),
    field("withdrawable", &referrals::earnings::withdrawable, "What the wallet still has of it"),
};

constexpr shape stats{
    field("total", &standing::invited),
    field("active", &standing::active, "With a subscription that runs"),
    field("expired", &standing::expired, "With one that has ended"),
    field("total_earned", credited, example("15.0")),
    field("currency", currency_of, example(R"("RUB")"), "Of the amounts: that of the latest reward"),
    field("total_invited", &standing::invited),
    field("paid_users", &standing::paid),
    field("points_earned", credited),
    field("balance", withdrawable, "What the wallet still has of it"),
    field("total_referrals", &standing::invited),
    field("commission_rate", commission_rate, example("0.25"), "The share of a payment, for those who join now"),
    field("earnings", &standing::earnings, earnings, "One a currency"),
};

constexpr shape item{
    field("referral_id", &referral::id),
    field("referred_email", &referral::masked_email, example(R"("j***@example.com")"), "Empty: it has none"),
    field("status", &referral::progress, rule{}, "pending: no subscription yet; completed: it has ended"),
    field("earned", &referral::earned, example("5.0")),
    field(
        "currency", [](const referral& r) { return r.earned.currency; }, example(R"("RUB")")),
    field("created_at", &referral::joined_at),
    field("code", &referral::code, code, "That it joined by"),
    field("join_date", &referral::joined_at, "The same as created_at"),
};

/// The web client reads a list, the app an object.
constexpr auto recent =
    either(&referrals::referral_list::is_for_device, shape{field("referrals", &referrals::referral_list::items, item)},
           list_of(&referrals::referral_list::items, item));

constexpr std::tuple endpoints{
    get<referrals::get_standing>("/api/v1/referral/status", allow::signed_in, bucket::general,
                                 "How my invitations go, in short", answers(200, status),
                                 from_session(&referrals::get_standing::account)),

    get<referrals::get_invitation>("/api/v1/referral/code", allow::signed_in, bucket::general,
                                   "What I invite others by; made at the first call", answers(200, invitation_shape),
                                   from_session(&referrals::get_invitation::account)),

    get<referrals::get_standing>("/api/v1/referral/stats", allow::signed_in, bucket::general, "How my invitations go",
                                 answers(200, stats), from_session(&referrals::get_standing::account)),

    get<referrals::list_referrals>(
        "/api/v1/referral/recent", allow::signed_in, bucket::general, "Who came by my invitation, newest first",
        answers(200, recent, "A list; for an app's session on a device an object with `referrals`"),
        from_session(&referrals::list_referrals::caller),
        from_query("limit", &referrals::list_referrals::limit, between(1, 100))),
};

} // namespace

void add_referrals(router& to, const domains& who) { add_endpoints(to, family, "Referrals", who.referrals, endpoints); }

} // namespace backstay::http::mobile
