#define CAF_SUITE persistence_devices

#include "actors/sessions/devices.hpp"

#include "actors/outbox/store.hpp"
#include "actors/sessions/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
namespace store = sessions::store;

namespace {

sessions::device phone(const std::string& id, std::optional<std::string> push_token = {}) {
  return {.device_id = id,
          .platform = sessions::platform::android,
          .platform_id = "x",
          .os_version = "14",
          .app_version = "1",
          .device_model = "Pixel 8",
          .push_token = std::move(push_token)};
}

struct fixture : commerce_database {
  caller sign_in(const account_id& id, std::optional<sessions::device> device = {}) {
    return commit([&](transaction& tx) {
      store::opening what{
          .account = *accounts::store::find(tx, id), .device = std::move(device), .origin = {.address = "192.0.2.7"}};
      return caller{id, store::open(tx, terms, what, moment(0)).grant.session};
    });
  }
  std::vector<sessions::device_view> list(const caller& who) {
    return commit([&](transaction& tx) { return store::list_devices(tx, {.caller = who}).items; });
  }
  void keep(const caller& who, const std::string& token, std::optional<std::string> device = {}) {
    commit([&](transaction& tx) {
      store::keep_push_token(tx, {.caller = who, .token = secret{token}, .device_id = std::move(device)}, moment(1));
    });
  }
  std::string push_tokens() {
    return commit([&](transaction& tx) {
      return sql::get<std::string>(
          (*tx.first("SELECT coalesce(string_agg(device_id || '=' || push_token, ' ' "
                     "ORDER BY device_id), '') FROM devices WHERE push_token IS NOT NULL"))[0]);
    });
  }

  account_id ada = add_account("ada"), eve = add_account("eve");
  store::terms terms{.keys = keyring{{secret{std::string(32, 'k')}}}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_devices_tests, fixture)

CAF_TEST(devices are listed for their owner) {
  auto here = sign_in(ada, phone("one"));
  sign_in(ada, phone("two"));
  sign_in(eve, phone("three"));
  auto found = list(here);
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK(found[0].is_current != found[1].is_current);
  CAF_CHECK(found[0].name == "Pixel 8" && found[0].platform == "android" && found[0].address == "192.0.2.7");
}

CAF_TEST(a session without a device is on the one that it names) {
  auto here = sign_in(ada);
  auto named = commit([&](transaction& tx) {
    return store::add_device(tx, {.caller = here, .device_id = "one", .name = "My phone", .os = "iOS"}, moment(1));
  });
  CAF_CHECK(named.is_current && named.name == "My phone" && named.platform == "ios");
  auto other = commit([&](transaction& tx) {
    return store::add_device(tx, {.caller = here, .device_id = "two", .name = "Router", .os = "OpenWrt"}, moment(1));
  });
  CAF_CHECK(!other.is_current && other.platform == "OpenWrt");
  auto described = commit([&](transaction& tx) { return store::register_device(tx, here, phone("one"), moment(2)); });
  CAF_CHECK(described.registered_at == moment(1) && described.last_active_at == moment(2));
  CAF_CHECK_EQUAL(list(here).size(), 2u);
}

CAF_TEST(a device that is removed takes its sessions along) {
  auto here = sign_in(ada, phone("one")), there = sign_in(ada, phone("two", "token"));
  auto remove = [&](const caller& who, const std::string& device) {
    return code_of([&] {
      commit([&](transaction& tx) { store::remove_device(tx, {.caller = who, .device_id = device}, moment(1)); });
    });
  };
  CAF_CHECK(remove(sign_in(eve), "two") == ec::not_found);
  CAF_CHECK(remove(here, "two") == ec::none);
  CAF_CHECK(remove(here, "two") == ec::not_found);
  auto is_open = [&](const caller& who) {
    return commit([&](transaction& tx) { return store::view(tx, who.session, moment(2)).has_value(); });
  };
  CAF_CHECK(is_open(here) && !is_open(there));
  CAF_CHECK_EQUAL(push_tokens(), "");
  CAF_CHECK_EQUAL(list(here).size(), 1u);
}

CAF_TEST(a device has one push token and a push token one device) {
  auto of_ada = sign_in(ada, phone("one", "first"));
  CAF_CHECK_EQUAL(push_tokens(), "one=first");
  keep(of_ada, "second");
  keep(of_ada, "second");
  CAF_CHECK_EQUAL(push_tokens(), "one=second");
  sign_in(ada, phone("one")); // without a token the known one stays
  CAF_CHECK_EQUAL(push_tokens(), "one=second");
  keep(sign_in(eve), "second", "android-build-id"); // the same phone, another owner
  CAF_CHECK_EQUAL(push_tokens(), "android-build-id=second");
  auto of_eve = sign_in(eve);
  keep(of_eve, "third");
  CAF_CHECK_EQUAL(list(of_eve).size(), 2u);
  commit([&](transaction& tx) { store::forget_stale_push_tokens(tx, moment(90 * 86'400)); });
  CAF_CHECK(push_tokens() != "");
  commit([&](transaction& tx) { store::forget_stale_push_tokens(tx, moment(90 * 86'400 + 2)); });
  CAF_CHECK_EQUAL(push_tokens(), "");
}

CAF_TEST(removing and signing in at once do not disturb each other) {
  auto here = sign_in(ada);
  std::atomic<int> broken{0};
  std::vector<std::thread> running;
  for (int i = 0; i < 32; ++i)
    running.emplace_back([&, i] {
      try {
        if (i % 2) sign_in(ada, phone("one"));
        else
          commit([&](transaction& tx) { store::remove_device(tx, {.caller = here, .device_id = "one"}, moment(1)); });
      } catch (const fault_error& error) {
        broken += error.what_failed.code != ec::not_found;
      } catch (const std::exception&) {
        ++broken;
      }
    });
  for (auto& thread : running) thread.join();
  CAF_CHECK_EQUAL(broken.load(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
