#include "http/kernel/endpoint.hpp"
#include "http/workspace/family.hpp"
#include "http/workspace/shapes.hpp"

namespace backstay::http::workspace {

namespace {

using accounts::profile;
using accounts::update_profile;

bool is_https(std::string_view url) { return url.starts_with("https://") && url.size() > 8; }

constexpr rule picture_url{.low = 9, .high = 2048, .accepts = is_https, .expectation = "an https URL", .format = "uri"};

constexpr shape own{
    field(
        "user_id", [](const profile& p) { return p.account.number; }, example("42")),
    field("email", [](const profile& p) { return p.account.email.value_or(""); }),
    field("display_name", [](const profile& p) { return p.account.display_name; }),
    field("avatar_url", [](const profile& p) { return p.account.avatar_url; }),
    field("preferences", &profile::preferences),
    field("tier", [](const profile& p) { return tier_of(p.account); }),
};

constexpr shape own_profile{
    field(
        "data", [](const profile& p) -> const profile& { return p; }, own),
};

constexpr std::tuple profiles{
    get<accounts::get_profile>("/api/v1/profile", allow::signed_in, bucket::general, "My profile",
                               answers(200, own_profile), from_session(&accounts::get_profile::account)),

    patch<update_profile>("/api/v1/profile", allow::signed_in, bucket::general, "Change my profile",
                          answers(200, own_profile), from_session(&update_profile::caller),
                          from_json("display_name", &update_profile::display_name, length(1, 100), "null removes it"),
                          from_json("avatar_url", &update_profile::avatar_url, picture_url, "null removes it"),
                          from_json("preferences", &update_profile::preferences, anything,
                                    "Merged member by member; at most 16 KiB in all")),
};

/// The session knows its account: no actor is asked.
struct get_subscriber {
  using reply = sessions::account;
};

const sessions::account& respond(const get_subscriber&, const exchange& x) { return x.session->account; }

constexpr std::tuple subscribers{
    get<get_subscriber>("/api/v1/user/me", allow::signed_in, bucket::general, "My account and its subscription",
                        answers(200, subscriber)),
};

} // namespace

void add_profile(router& to, const domains& who) {
  add_endpoints(to, family, "Profile", who.accounts, profiles);
  add_endpoints(to, family, "Profile", answered_here, subscribers);
}

} // namespace backstay::http::workspace
