#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::mobile {

namespace {

using sessions::challenge_device;
using sessions::enroll_device;
using sessions::sign_in_by_device;

constexpr rule device_id = length(36, 36);

constexpr shape enrolled{
    field("device_token", &sessions::device_enrolled::token, anything, "To be kept behind the fingerprint reader"),
    field("expires_at", &sessions::device_enrolled::expires_at, anything, "Each use puts it off: 180 days"),
    field("credential_id", &sessions::device_enrolled::credential, anything,
          "Names the key at sign-in, instead of the token"),
};

constexpr shape challenge{
    field("challenge", &sessions::device_challenge::value, anything, "Its characters are what is signed"),
    field(
        "expires_in", [](const sessions::device_challenge& c) { return c.lifetime.count(); }, example("120"),
        "Seconds"),
};

/// Without a token there must be all that takes its place.
void check_proof(sign_in_by_device& m) {
  if (m.challenge && !m.signature) fail_field("signature", "Field required", "missing");
  if (m.signature && !m.challenge) fail_field("challenge", "Field required", "missing");
  if (!m.token && !(m.credential && m.challenge)) fail_field("device_token", "Field required", "missing");
}

constexpr std::tuple endpoints{
    post<enroll_device>(
        "/api/v1/mobile/auth/biometric/enroll", allow::signed_in, bucket::general,
        "Let this device sign in without a password", answers(200, enrolled), from_session(&enroll_device::caller),
        from_json("device_id", &enroll_device::device_id, device_id),
        from_json("public_key", &enroll_device::public_key, length(1, 1000),
                  "P-256, SubjectPublicKeyInfo in base64: from then on each sign-in needs its signature"),
        from_origin(&enroll_device::origin)),

    post<challenge_device>("/api/v1/mobile/auth/biometric/challenge", allow::anyone, bucket::login,
                           "Get a challenge for a device's key to sign", answers(200, challenge),
                           from_json("device_id", &challenge_device::device_id, device_id)),

    post<sign_in_by_device>("/api/v1/mobile/auth/biometric/login", allow::anyone, bucket::login,
                            "Sign in with what the device keeps: its token, or its key, or both",
                            answers(200, mobile_session), decorated_by(set_session_cookies),
                            fails(401, "Unknown, expired, revoked, or another device's"),
                            from_json("device_id", &sign_in_by_device::device_id, device_id),
                            from_json("device_token", &sign_in_by_device::token, length(1, 1000)),
                            from_json("credential_id", &sign_in_by_device::credential),
                            from_json("challenge", &sign_in_by_device::challenge, length(1, 1000)),
                            from_json("signature", &sign_in_by_device::signature, length(1, 1000),
                                      "Of the challenge: ECDSA with SHA-256, DER in base64"),
                            refined_by(check_proof), from_origin(&sign_in_by_device::origin)),
};

} // namespace

void add_biometric(router& to, const domains& who) {
  add_endpoints(to, family, "Biometric sign-in", who.sessions, endpoints);
}

} // namespace backstay::http::mobile
