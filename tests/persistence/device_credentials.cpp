#define CAF_SUITE device_credentials

#include "actors/kernel/crypto.hpp"
#include "actors/sessions/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = sessions::store;
using sessions::signed_in;

namespace {

constexpr std::int64_t day = 86'400;

/// What a phone's key store does.
struct phone_key {
  explicit phone_key(const char* curve = "P-256") : key(EVP_EC_gen(curve)) {}
  ~phone_key() { EVP_PKEY_free(key); }
  phone_key(const phone_key&) = delete;

  std::string spki() const {
    unsigned char* der = nullptr;
    int size = i2d_PUBKEY(key, &der);
    std::string text = crypto::to_base64({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return text;
  }
  std::string sign(const secret& challenge) const {
    auto context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
    std::string signature(100, '\0');
    auto size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(challenge.reveal().data()), challenge.reveal().size());
    EVP_MD_CTX_free(context);
    return crypto::to_base64(signature.substr(0, size));
  }

  EVP_PKEY* key;
};

struct fixture : commerce_database {
  signed_in open(std::optional<std::string> device_id = {}) {
    return commit([&](transaction& tx) {
      store::opening what{.account = *accounts::store::find(tx, alice), .device_id = std::move(device_id)};
      return store::open(tx, terms, what, moment(0));
    });
  }
  sessions::device_enrolled enroll(const signed_in& by, std::optional<std::string> key = {},
                                   const std::string& device_id = "phone") {
    return commit([&](transaction& tx) {
      sessions::enroll_device command{
          .caller = {alice, by.grant.session}, .device_id = device_id, .public_key = std::move(key)};
      return store::enroll_device(tx, terms, command, moment(0));
    });
  }
  secret challenge(const std::string& device_id = "phone", std::int64_t seconds = 1) {
    return commit(
        [&](transaction& tx) { return store::challenge_device(tx, terms, device_id, moment(seconds)).value; });
  }
  std::optional<signed_in> sign_in(const sessions::sign_in_by_device& shown, std::int64_t seconds = 1) {
    auto result = commit([&](transaction& tx) { return store::sign_in_by_device(tx, terms, shown, moment(seconds)); });
    if (auto* refusal = std::get_if<fault>(&result)) {
      CAF_CHECK(*refusal == sessions::unknown_device());
      return std::nullopt;
    }
    return std::get<signed_in>(result);
  }
  bool signs_in(const secret& token, std::int64_t seconds = 1, const std::string& device_id = "phone") {
    return sign_in({.device_id = device_id, .token = token}, seconds).has_value();
  }

  account_id alice = add_account("alice");
  store::terms terms{.keys = keyring{{secret{std::string(32, 'k')}}}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_credentials_tests, fixture)

CAF_TEST(a token signs its device in until it was not used for 180 days) {
  auto made = enroll(open());
  CAF_CHECK(made.expires_at == moment(180 * day));
  auto session = sign_in({.device_id = "phone", .token = made.token});
  CAF_REQUIRE(session);
  CAF_CHECK(session->account.id == alice);
  CAF_CHECK_EQUAL(session->grant.device_id.value_or(""), "phone");
  CAF_CHECK(!signs_in(made.token, 1, "another phone") && !signs_in(secret{"guessed"}));
  CAF_CHECK(signs_in(made.token, 100 * day) && signs_in(made.token, 279 * day));
  CAF_CHECK(!signs_in(made.token, 279 * day + 180 * day));
  CAF_CHECK(!commit([&](transaction& tx) {
    return store::is_reauthenticated(tx, session->grant.session, moment(1)); // a stored token is no fresh sign-in
  }));
}

CAF_TEST(a device that describes itself stays described) {
  sessions::device phone{.device_id = "phone", .os_version = "14"};
  auto session = commit([&](transaction& tx) {
    store::opening what{.account = *accounts::store::find(tx, alice), .device = phone};
    return store::open(tx, terms, what, moment(0));
  });
  CAF_CHECK(signs_in(enroll(session).token, 60));
  enroll(open(), {}, "tablet");
  commit([&](transaction& tx) {
    auto rows = tx.run("SELECT * FROM devices ORDER BY device_id");
    CAF_REQUIRE_EQUAL(rows.size(), 2u);
    CAF_CHECK_EQUAL(sql::get<std::string>(rows[0]["os_version"]), "14");
    CAF_CHECK(sql::get<timestamp>(rows[0]["last_active_at"]) == moment(60));
    CAF_CHECK(rows[1]["platform"].is_null());
  });
}

CAF_TEST(the token is not in the database) {
  auto made = enroll(open());
  auto kept = commit([&](transaction& tx) {
    return sql::get<std::string>((*tx.first("SELECT c::text FROM device_credentials c"))[0]);
  });
  CAF_CHECK(kept.find(made.token.reveal()) == std::string::npos);
}

CAF_TEST(a device has one token and a session one device) {
  auto session = open();
  auto first = enroll(session), second = enroll(session);
  CAF_CHECK(!signs_in(first.token) && signs_in(second.token));
  CAF_CHECK(code_of([&] { enroll(session, {}, "another phone"); }) == ec::invalid);
  CAF_CHECK(code_of([&] { enroll({}, {}); }) == ec::unauthenticated);
  CAF_CHECK(enroll(open("another phone"), {}, "another phone").credential != second.credential);
  CAF_CHECK(signs_in(second.token));
}

CAF_TEST(a device with a key signs challenges) {
  phone_key key, other;
  auto made = enroll(open(), key.spki());
  auto try_with = [&](const phone_key& signer, const secret& signed_one, const secret& shown, bool with_token,
                      std::int64_t seconds = 2) {
    sessions::sign_in_by_device how{.device_id = "phone", .challenge = shown, .signature = signer.sign(signed_one)};
    if (with_token) how.token = made.token;
    else how.credential = made.credential;
    return sign_in(how, seconds).has_value();
  };
  auto one = challenge();
  CAF_CHECK(try_with(key, one, one, false));
  CAF_CHECK(!try_with(key, one, one, false)); // used
  auto two = challenge();
  CAF_CHECK(try_with(key, two, two, true));
  CAF_CHECK(!signs_in(made.token)); // a copied token alone is worth nothing
  auto three = challenge(), four = challenge();
  CAF_CHECK(!try_with(other, three, three, true)); // and a failed try uses the challenge up
  CAF_CHECK(!try_with(key, three, three, true));
  CAF_CHECK(!try_with(key, three, four, true));
  auto of_another = challenge("another phone"), old = challenge(), invented = secret{"invented"};
  CAF_CHECK(!try_with(key, of_another, of_another, true));
  CAF_CHECK(!try_with(key, old, old, true, 121));
  CAF_CHECK(!try_with(key, invented, invented, true));
  auto five = challenge();
  CAF_CHECK(!sign_in({.device_id = "phone", .credential = made.credential, .challenge = five}));
  auto six = challenge();
  CAF_CHECK(!sign_in({.device_id = "phone", .challenge = six, .signature = key.sign(six)})); // whose?
}

CAF_TEST(without a key the name of a credential is worth nothing) {
  auto made = enroll(open());
  CAF_CHECK(!sign_in({.device_id = "phone", .credential = made.credential}));
  phone_key key;
  auto one = challenge();
  CAF_CHECK(!sign_in({.device_id = "phone", .credential = made.credential, .challenge = one, .signature = key.sign(one)}));
}

CAF_TEST(only keys of P - 256 are taken) {
  auto session = open();
  phone_key key, larger{"P-384"};
  for (auto& wrong : {std::string{"no base64!"}, crypto::to_base64("no key"), larger.spki(),
                      crypto::to_base64(crypto::from_base64(key.spki()).value() + "x")})
    CAF_CHECK(code_of([&] { enroll(session, wrong); }) == ec::invalid);
}

CAF_TEST(of parallel signatures of one challenge one signs in) {
  phone_key key;
  auto made = enroll(open(), key.spki());
  auto one = challenge();
  sessions::sign_in_by_device how{
      .device_id = "phone", .credential = made.credential, .challenge = one, .signature = key.sign(one)};
  std::atomic<int> won{0};
  std::vector<std::thread> running;
  for (int i = 0; i < 64; ++i)
    running.emplace_back([&] {
      auto result = commit([&](transaction& tx) { return store::sign_in_by_device(tx, terms, how, moment(2)); });
      won += std::holds_alternative<signed_in>(result);
    });
  for (auto& thread : running) thread.join();
  CAF_CHECK_EQUAL(won.load(), 1);
}

CAF_TEST(the credential of a device ends with its session) {
  auto session = open();
  auto made = enroll(session);
  commit([&](transaction& tx) {
  store::revoke(tx, open("another phone").grant.session, moment(1)); });
  CAF_CHECK(signs_in(made.token));
  commit([&](transaction& tx) {
  store::revoke(tx, session.grant.session, moment(1)); });
  CAF_CHECK(!signs_in(made.token));
  auto again = enroll(open("phone"));
  commit([&](transaction& tx) {
  store::revoke(tx, session.grant.session, moment(2)); }); // ended long ago
  CAF_CHECK(signs_in(again.token));
}

CAF_TEST(ending all sessions ends what devices keep but for the present one) {
  auto here = open("phone"), there = open("another phone");
  auto kept = enroll(here), lost = enroll(there, {}, "another phone");
  commit([&](transaction& tx) { store::revoke_all(tx, alice, here.grant.session, moment(1)); });
  CAF_CHECK(signs_in(kept.token) && !signs_in(lost.token, 1, "another phone"));
  commit([&](transaction& tx) { store::revoke_all(tx, alice, {}, moment(1)); });
  CAF_CHECK(!signs_in(kept.token));
}

CAF_TEST(a new password ends what devices keep) {
  auto made = enroll(open());
  commit([&](transaction& tx) { accounts::store::set_password(tx, alice, "new hash", moment(1)); });
  CAF_CHECK(!signs_in(made.token));
}

CAF_TEST(a locked account is not signed in by a device) {
  auto made = enroll(open());
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET locked_at = $1", moment(0)); });
  CAF_CHECK(!signs_in(made.token));
}

CAF_TEST(a device that waits for its second factor is known to the session) {
  auto made = enroll(open());
  commit([&](transaction& tx) {
    tx.run(
        "INSERT INTO authenticators (account, sealed_secret, created_at, confirmed_at) VALUES ($1::uuid, '', $2, $2)",
        alice, moment(0));
  });
  auto first_step = sign_in({.device_id = "phone", .token = made.token});
  CAF_REQUIRE(first_step && first_step->second_step);
  commit([&](transaction& tx) {
    auto waiting = store::examine_second_step(tx, terms, *first_step->second_step, moment(2));
    CAF_REQUIRE(waiting);
    CAF_CHECK_EQUAL(waiting->device_id.value_or(""), "phone");
    CAF_CHECK(!waiting->device && !waiting->is_fresh && waiting->way == "biometric");
  });
}

CAF_TEST(what was not used for long is removed) {
  enroll(open());
  auto count = [&] {
    return commit([&](transaction& tx) {
      return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM device_credentials"))[0]);
    });
  };
  commit([&](transaction& tx) { store::forget_stale(tx, moment(180 * day)); });
  CAF_CHECK_EQUAL(count(), 1);
  commit([&](transaction& tx) { store::forget_stale(tx, moment(180 * day + 1)); });
  CAF_CHECK_EQUAL(count(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
