#define CAF_SUITE reference

#include "config/reference.hpp"
#include "config/load.hpp"
#include "config/value.hpp"
#include "tests/config/scratch.hpp"

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::config;

namespace {

/// Every setting as TOML writes it.
std::vector<std::string> literals(settings values) {
  std::vector<std::string> result;
  for (const auto& row : declarations()) result.push_back(std::string{row.name} + " = " + toml_literal(row.of(values)));
  return result;
}

} // namespace

CAF_TEST(every setting is declared well) {
  std::set<std::string> names;
  std::set<const void*> members;
  settings defaults;
  for (const auto& row : declarations()) {
    const auto value = row.of(defaults);
    CAF_MESSAGE(row.name);
    CAF_CHECK(names.insert(environment_name(row.name)).second);
    CAF_CHECK(members.insert(std::visit([](auto* target) -> const void* { return target; }, value)).second);
    CAF_CHECK(row.doc.ends_with('.'));
    CAF_CHECK_EQUAL(row.doc.find('|'), std::string_view::npos);
    const auto type = type_name(value);
    CAF_CHECK((type != "integer" && type != "duration") || row.must.most > 0);
    CAF_CHECK_EQUAL(row.must.shape.empty(), row.must.fits == nullptr);
  }
}

CAF_TEST(the reference names every setting) {
  const auto page = reference();
  for (const auto& row : declarations()) {
    CAF_MESSAGE(row.name);
    CAF_CHECK_NOT_EQUAL(page.find("| `" + std::string{row.name} + "` | `" + environment_name(row.name) + "` |"),
                        page.npos);
    CAF_CHECK_NOT_EQUAL(page.find(row.doc), page.npos);
  }
}

CAF_TEST(the page in the documentation is the reference) {
  std::ifstream input("docs/configuration.md");
  const std::string page{std::istreambuf_iterator<char>{input}, {}};
  if (page != reference()) CAF_FAIL("renew it: build/backstay config-reference > docs/configuration.md");
}

CAF_TEST(the example changes nothing and is right without its comment signs) {
  test::scratch folder;
  sources from{.environment = {{"ENVIRONMENT", "development"}}};
  const auto expected = literals(std::get<settings>(load(from)));
  from.file = folder.write("commented.toml", example());
  CAF_CHECK_EQUAL(literals(std::get<settings>(load(from))), expected);

  from.file = folder.write("bare.toml", std::regex_replace(example(), std::regex{"#([a-z_]+ = )"}, "$1"));
  const auto bare = load(from);
  if (const auto* wrong = std::get_if<std::vector<complaint>>(&bare)) CAF_FAIL(wrong->front().line());
  CAF_CHECK_EQUAL(literals(std::get<settings>(bare)), expected);
}

CAF_TEST(neither page shows a secret that is set) {
  settings values;
  values.panel.token = secret{"hunter2"};
  for (const auto& row : declarations())
    if (row.name == "panel.token") CAF_CHECK_EQUAL(toml_literal(row.of(values)), "\"***\"");
}

CAF_TEST(durations are written in their largest whole unit) {
  using namespace std::chrono_literals;
  CAF_CHECK_EQUAL(duration_text(0ms), "0s");
  CAF_CHECK_EQUAL(duration_text(1500ms), "1500ms");
  CAF_CHECK_EQUAL(duration_text(90s), "90s");
  CAF_CHECK_EQUAL(duration_text(15min), "15m");
  CAF_CHECK_EQUAL(duration_text(720h), "30d");
  for (auto duration : {0ms, 1ms, 1500ms, 90'000ms, 86'400'000ms})
    CAF_CHECK(parse_duration(duration_text(duration)) == duration);
}
