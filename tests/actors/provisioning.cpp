#define CAF_SUITE provisioning

#include "actors/provisioning/actor.hpp"

#include "actors/provisioning/rules.hpp"
#include "actors/provisioning/store.hpp"
#include "tests/actors/scripted_database.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::provisioning;
using namespace std::chrono_literals;
using panel::template_kind;
using panel::traffic_reset;

namespace {

timestamp at(const char* text) { return *from_rfc3339(text); }

create_template wish(const std::string& name = "Mobile Optimized", const std::string& type = "v2ray") {
  return {.name = name, .type = type, .config = json_object{R"({"log":{}})"}};
}

const std::string template_uuid = "5f3c1c2e-7d0a-4b7e-9c55-0c6a1f6f5b10";

struct fixture : test_coordinator_fixture<> {
  ~fixture() {
    if (actor) self->send_exit(actor, caf::exit_reason::kill);
    consume_messages();
  }

  void start() {
    auto panel = sys.spawn([this]() -> panel::panel_actor::behavior_type {
      return {[](const panel::put_user&) { return panel::user{}; },
              [](const panel::get_user&) { return panel::user{}; },
              [](const panel::get_subscription_text&) { return panel::subscription_text{}; },
              [](const panel::list_nodes&) { return panel::node_list{}; },
              [this](const panel::read_webhook& m) -> caf::result<panel::webhook_hint> {
                if (m.body == "forged") return to_error({.code = ec::unauthenticated});
                return hint;
              }};
    });
    auto catalog = sys.spawn([this]() -> panel::catalog_actor::behavior_type {
      return {[this](const panel::get_usage& m) -> caf::result<panel::usage> {
                asked.push_back(m.username);
                if (failure != ec::none) return to_error({.code = failure});
                return usage;
              },
              [this](const panel::list_templates&) -> caf::result<panel::template_list> {
                ++looks;
                if (failure != ec::none) return to_error({.code = failure});
                return templates;
              },
              [this](const panel::create_template& m) -> caf::result<panel::subscription_template> {
                wishes.push_back(m);
                if (failure != ec::none) return to_error({.code = failure});
                return panel::subscription_template{template_uuid, m.name, m.kind, m.content};
              }};
    });
    auto subscriptions = sys.spawn([this](caf::event_based_actor* who) -> caf::behavior {
      who->set_default_handler(caf::drop);
      return {[this](const subscriptions::forget_usage& m) {
        forgotten.push_back(m.username);
        return done{};
      }};
    });
    auto monitoring = sys.spawn([this]() -> monitoring::monitoring_actor::behavior_type {
      return {[](const monitoring::list_servers&) { return monitoring::server_list{}; },
              [](const monitoring::get_server&) { return monitoring::server{}; },
              [this](const monitoring::look_again&) {
                ++hurries;
                return done{};
              }};
    });
    domain_context context{std::make_shared<vitals>("provisioning", false), clock, database.spawn(sys)};
    actor =
        sys.spawn(provisioning_behavior, context,
                  provisioning_dependencies{
                      panel, catalog, caf::actor_cast<subscriptions::subscriptions_actor>(subscriptions), monitoring});
    consume_messages();
  }

  template <class Message>
  std::pair<std::optional<typename Message::reply>, fault> ask(Message m) {
    if (!actor) start();
    std::pair<std::optional<typename Message::reply>, fault> outcome{std::nullopt, {.code = ec::none}};
    auto request = self->request(actor, caf::infinite, std::move(m));
    consume_messages();
    request.receive([&](typename Message::reply& value) { outcome.first = std::move(value); },
                    [&](const caf::error& error) { outcome.second = describe(error); });
    return outcome;
  }
  template <class Message>
  ec refusal(Message m) {
    return ask(std::move(m)).second.code;
  }
  void pass(std::chrono::seconds time) {
    passed += time;
    clock->set_offset(passed);
  }

  store::subscriber row() {
    return {"bs_7", 1000, 3, clock->now() - std::chrono::days{3}, clock->now() + std::chrono::days{27}};
  }
  usage_view usage_of(std::optional<store::subscriber> found) {
    database.returns(std::move(found));
    return ask(get_usage{account_id::random()}).first.value();
  }

  clock_handle clock = std::make_shared<domain_clock>();
  std::chrono::seconds passed{0};
  scripted_database database;
  panel::webhook_hint hint;
  panel::template_list templates{{{template_uuid, "Default", template_kind::clash, "mode: rule\n"},
                                  {"9e3c1c2e-7d0a-4b7e-9c55-0c6a1f6f5b10", "Mine", template_kind::singbox, "{}"}}};
  panel::usage usage{.user = {.username = "bs_7", .used_traffic_bytes = 250}, .device_count = 2};
  ec failure = ec::none;
  int looks = 0, hurries = 0;
  std::vector<std::string> asked, forgotten;
  std::vector<panel::create_template> wishes;
  provisioning_actor actor;
};

} // namespace

CAF_TEST(types of templates go by several names) {
  const std::pair<const char*, template_kind> names[]{
      {"v2ray", template_kind::xray_json},   {"XRAY_JSON", template_kind::xray_json},
      {"xray", template_kind::xray_json},    {"Clash", template_kind::clash},
      {"clash_meta", template_kind::mihomo}, {"mihomo", template_kind::mihomo},
      {"stash", template_kind::stash},       {"sing-box", template_kind::singbox},
      {"singbox", template_kind::singbox}};
  for (auto& [name, kind] : names) CAF_CHECK(rules::kind_of(name) == kind);
  for (auto* other : {"", "v2", "xray_base64", "clash ", "outline"}) CAF_CHECK(!rules::kind_of(other));
}

CAF_TEST(what the panel would refuse is named) {
  auto broken = [](const std::string& name, const std::string& type = "v2ray") {
    std::vector<std::string> fields;
    for (auto& each : rules::problems_of(wish(name, type))) fields.push_back(each.location.back());
    return fields;
  };
  CAF_CHECK(broken("My template_2-b").empty());
  for (auto* name : {"", "a", "Default", "Мой", "a.b", "a\nb"})
    CAF_CHECK_EQUAL(broken(name), std::vector<std::string>{"name"});
  CAF_CHECK_EQUAL(broken("a", "toaster"), (std::vector<std::string>{"name", "template_type"}));
}

CAF_TEST(traffic is counted until the next reset and never past the end) {
  auto now = at("2027-01-31T13:00:00Z"); // a Sunday
  auto end = at("2028-01-01T00:00:00Z");
  auto until = [&](traffic_reset reset, const char* since) {
    return to_rfc3339(rules::traffic_period(reset, at(since), end, now).end);
  };
  CAF_CHECK_EQUAL(until(traffic_reset::never, "2027-01-01T00:00:00Z"), "2028-01-01T00:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::daily, "2027-01-31T00:00:00Z"), "2027-02-01T00:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::weekly, "2027-01-25T00:00:00Z"), "2027-02-01T00:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::monthly, "2027-01-01T00:00:00Z"), "2027-02-01T00:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::rolling, "2027-01-31T00:00:00Z"), "2027-02-28T00:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::rolling, "2027-01-15T00:00:00Z"), "2027-02-15T00:00:00Z");
  end = at("2027-01-31T18:00:00Z");
  CAF_CHECK_EQUAL(until(traffic_reset::daily, "2027-01-31T00:00:00Z"), "2027-01-31T18:00:00Z");
  auto month = rules::month_of(at("2027-12-31T23:59:59Z"));
  CAF_CHECK_EQUAL(to_rfc3339(month.start), "2027-12-01T00:00:00Z");
  CAF_CHECK_EQUAL(to_rfc3339(month.end), "2028-01-01T00:00:00Z");
}

CAF_TEST_FIXTURE_SCOPE(provisioning_actor_tests, fixture)

CAF_TEST(profiles are read once a minute and stale ones are better than none) {
  failure = ec::upstream;
  CAF_CHECK(refusal(list_profiles{}) == ec::upstream);
  failure = ec::none;
  auto profiles = ask(list_profiles{}).first.value().items;
  CAF_REQUIRE_EQUAL(profiles.size(), 2u);
  CAF_CHECK(profiles[0] == (config_profile{template_uuid, "Default", template_kind::clash, "mode: rule\n", true}));
  CAF_CHECK(!profiles[1].is_default);
  CAF_CHECK_EQUAL(looks, 2);
  pass(59s);
  ask(list_profiles{});
  CAF_CHECK_EQUAL(looks, 2);
  pass(2s);
  failure = ec::timeout;
  CAF_CHECK_EQUAL(ask(list_profiles{}).first.value().items.size(), 2u);
  CAF_CHECK_EQUAL(looks, 3);
  ask(list_profiles{});
  CAF_CHECK_EQUAL(looks, 3); // it is left alone for a moment
  pass(11s);
  failure = ec::none;
  templates.items.clear();
  CAF_CHECK(ask(list_profiles{}).first.value().items.empty());
}

CAF_TEST(a template is made and shown at once) {
  ask(list_profiles{});
  database.returns(store::reservation{});
  database.returns(template_view{.id = template_uuid, .name = "Mobile Optimized", .type = "v2ray"});
  CAF_CHECK(ask(wish()).first.value().id == template_uuid);
  CAF_REQUIRE_EQUAL(wishes.size(), 1u);
  CAF_CHECK(wishes[0].kind == template_kind::xray_json);
  CAF_CHECK_EQUAL(wishes[0].content, R"({"log":{}})");
  CAF_CHECK(!wishes[0].is_repetition);
  ask(list_profiles{});
  CAF_CHECK_EQUAL(looks, 2);
}

CAF_TEST(a repeated request gets its template again without the panel) {
  database.returns(store::reservation{.made = template_view{.id = template_uuid}});
  CAF_CHECK(ask(wish()).first.value().id == template_uuid);
  CAF_CHECK(wishes.empty());
}

CAF_TEST(a try that may have reached the panel is continued) {
  database.returns(store::reservation{.is_repetition = true});
  failure = ec::timeout;
  CAF_CHECK(refusal(wish()) == ec::timeout);
  CAF_REQUIRE_EQUAL(wishes.size(), 1u);
  CAF_CHECK(wishes[0].is_repetition);
  CAF_CHECK_EQUAL(*database.asked, 1); // the name stays reserved
}

CAF_TEST(a name that the panel has already is given back and refused) {
  database.returns(store::reservation{});
  database.returns(done{});
  failure = ec::conflict;
  auto [made, refused] = ask(wish());
  CAF_CHECK(!made);
  CAF_CHECK(refused.code == ec::conflict);
  CAF_CHECK_EQUAL(refused.name, "TEMPLATE_EXISTS");
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(broken templates reach neither database nor panel) {
  auto refused = ask(wish("x", "toaster")).second;
  CAF_CHECK(refused.code == ec::invalid);
  CAF_CHECK_EQUAL(refused.problems.size(), 2u);
  CAF_CHECK_EQUAL(*database.asked, 0);
  CAF_CHECK(wishes.empty());
}

CAF_TEST(usage is the panels and remembered for a while) {
  auto current = row();
  usage.user.online_at = clock->now();
  auto seen = usage_of(current);
  CAF_CHECK(seen == (usage_view{250, 1000, 2, 3, current.started_at, current.expires_at, usage.user.online_at}));
  CAF_CHECK_EQUAL(asked, std::vector<std::string>{"bs_7"});
  usage.user.used_traffic_bytes = 300;
  pass(44s);
  CAF_CHECK(usage_of(current).used_bytes == 250);
  pass(2s);
  CAF_CHECK(usage_of(current).used_bytes == 300);
  CAF_CHECK_EQUAL(asked.size(), 2u);
}

CAF_TEST(the period is that of the panels resets) {
  auto current = row();
  usage.user.reset = traffic_reset::daily;
  usage.user.traffic_since = std::chrono::floor<std::chrono::days>(clock->now());
  auto seen = usage_of(current);
  CAF_CHECK(seen.period_start == usage.user.traffic_since);
  CAF_CHECK(seen.period_end == usage.user.traffic_since + std::chrono::days{1});
}

CAF_TEST(zeros stand for a panel that is away) {
  failure = ec::timeout;
  auto current = row();
  CAF_CHECK(usage_of(current) == (usage_view{0, 1000, 0, 3, current.started_at, current.expires_at, std::nullopt}));
  usage_of(current);
  CAF_CHECK_EQUAL(asked.size(), 1u); // it is left alone for a moment
  failure = ec::none;
  pass(11s);
  CAF_CHECK(usage_of(current).used_bytes == 250);
}

CAF_TEST(without a subscription nothing is used in this month) {
  auto seen = usage_of(std::nullopt);
  CAF_CHECK_EQUAL(seen.used_bytes + seen.limit_bytes + seen.devices + seen.max_devices, 0);
  CAF_CHECK(seen.period_start <= clock->now() && clock->now() < seen.period_end);
  CAF_CHECK(asked.empty());
}

CAF_TEST(hints make forget and hurry and order) {
  hint = {.about = panel::hint::node_changed};
  CAF_CHECK(ask(receive_webhook{"{}", {}}).first);
  CAF_CHECK_EQUAL(hurries, 1);
  usage_of(row());
  hint = {.about = panel::hint::user_changed, .username = "bs_7"};
  CAF_CHECK(ask(receive_webhook{"{}", {}}).first);
  CAF_CHECK_EQUAL(forgotten, std::vector<std::string>{"bs_7"});
  usage_of(row());
  CAF_CHECK_EQUAL(asked.size(), 2u);
  CAF_CHECK_EQUAL(*database.asked, 2);
  hint.may_differ = true;
  CAF_CHECK(refusal(receive_webhook{"{}", {}}) == ec::unavailable); // the panel calls again
  database.returns(done{});
  CAF_CHECK(ask(receive_webhook{"{}", {}}).first);
  CAF_CHECK_EQUAL(*database.asked, 4);
  CAF_CHECK(refusal(receive_webhook{"forged", {}}) == ec::unauthenticated);
}

CAF_TEST_FIXTURE_SCOPE_END()
