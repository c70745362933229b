#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"

namespace backstay::http::mobile {

namespace {

/// The session knows its account: no actor is asked.
struct read_own_account {
  using reply = sessions::account;
};

const sessions::account& respond(const read_own_account&, const exchange& x) { return x.session->account; }

constexpr std::tuple own_account{
    get<read_own_account>("/api/v1/auth/me", allow::signed_in, bucket::general, "Who am I",
                          answers(200, whole_account)),
};

} // namespace

void add_profile(router& to) { add_endpoints(to, family, "Profile", answered_here, own_account); }

} // namespace backstay::http::mobile
