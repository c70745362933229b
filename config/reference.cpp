#include "config/reference.hpp"

#include "config/settings.hpp"
#include "config/value.hpp"

#include <fmt/format.h>

namespace backstay::config {

namespace {

constexpr std::string_view introduction = R"(# Settings

<!-- Written by `backstay config-reference`; edit config/settings.cpp instead. -->

A setting is looked up in four places; each is stronger than those before it:

1. its default, below;
2. the TOML file given by `--config FILE`;
3. the environment, where `http.port` is `BACKSTAY_HTTP_PORT` (`DATABASE_URL` and `ENVIRONMENT` also work, and an empty
   variable counts as not set);
4. `--set section.key=value`. Other users of the machine can see a command line, so keep secrets out of it.

A duration is a whole number with a unit: `ms`, `s`, `m`, `h` or `d`. In the environment and in `--set` the items of a list
are separated by commas. `backstay check-config` names everything that is wrong, with its line; a server with bad
settings does not start and exits with code 78.
)";

/// The part of a name before the dot; empty for a setting outside all sections.
std::string_view section_of(std::string_view name) {
  const auto dot = name.find('.');
  return dot == name.npos ? std::string_view{} : name.substr(0, dot);
}

std::string_view key_of(std::string_view name) { return name.substr(name.find('.') + 1); }

/// Calls `begin(section)` where a section begins and `each(row)` for every setting.
template <class Begin, class Each>
void for_each_setting(Begin begin, Each each) {
  std::string_view section = "?"; // unlike any, so that the nameless one begins too
  for (const auto& row : declarations()) {
    if (section_of(row.name) != section) begin(section = section_of(row.name));
    each(row);
  }
}

} // namespace

std::string reference() {
  std::string page{introduction};
  settings defaults;
  for_each_setting(
      [&](std::string_view section) {
        page += fmt::format("\n## {}\n\n", section.empty() ? "The whole process" : section);
        page += "| Setting | Environment | Type | Default | Bounds | Meaning |\n|---|---|---|---|---|---|\n";
      },
      [&](const declaration& row) {
        const auto value = row.of(defaults);
        page += fmt::format("| `{}` | `{}` | {} | `{}` | {} | {} |\n", row.name, environment_name(row.name),
                            type_name(value), toml_literal(value), bounds_text(row), row.doc);
      });
  return page;
}

std::string example() {
  std::string file = "# Every setting of Backstay with its default. Remove the # before a setting to change it.\n";
  settings defaults;
  for_each_setting([&](std::string_view section) { file += section.empty() ? "" : fmt::format("\n[{}]\n", section); },
                   [&](const declaration& row) {
                     const auto bounds = bounds_text(row);
                     file += fmt::format("\n# {}\n", row.doc);
                     if (!bounds.empty()) file += fmt::format("# {}: {}\n", type_name(row.of(defaults)), bounds);
                     file += fmt::format("#{} = {}\n", key_of(row.name), toml_literal(row.of(defaults)));
                   });
  return file;
}

} // namespace backstay::config
