#include "config/load.hpp"

#include "config/keys.hpp"
#include "config/toml.hpp"
#include "config/value.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <numeric>
#include <system_error>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace backstay::config {

namespace {

constexpr std::size_t largest_file = 1'048'576;

const declaration* find(std::string_view name) {
  const auto rows = declarations();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return each.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

bool is_section(std::string_view name) {
  const auto rows = declarations();
  return std::any_of(rows.begin(), rows.end(), [&](const auto& each) {
    return each.name.size() > name.size() && each.name.starts_with(name) && each.name[name.size()] == '.';
  });
}

/// Levenshtein's distance: how many letters must be added, dropped or exchanged.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const auto exchanged = diagonal + (from[i] != to[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({exchanged, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// "unknown setting", with the nearest name if one is near enough to be a slip. `spell` makes the name as the source
/// writes it.
template <class Spell>
std::string unknown(std::string_view written, Spell spell) {
  std::string nearest;
  auto least = written.size() / 4 + 2;
  for (const auto& row : declarations()) {
    const std::string name = spell(row.name);
    if (written.size() > 64) break; // no slip of the pen
    if (const auto steps = distance(written, name); steps < least) std::tie(least, nearest) = std::pair{steps, name};
  }
  return nearest.empty() ? "unknown setting" : fmt::format("unknown setting, did you mean {}?", nearest);
}

std::string as_in_file(std::string_view name) { return std::string{name}; }

std::string_view kind_of(toml::node_type type) {
  switch (type) {
  case toml::node_type::table:
    return "a table";
  case toml::node_type::array:
    return "a list of other things";
  case toml::node_type::string:
    return "a string";
  case toml::node_type::integer:
    return "an integer";
  case toml::node_type::floating_point:
    return "a number with a fraction";
  case toml::node_type::boolean:
    return "a boolean";
  case toml::node_type::date:
  case toml::node_type::time:
  case toml::node_type::date_time:
    return "a date or time";
  case toml::node_type::none:
    break;
  }
  return "nothing";
}

written value_of(const toml::node& node) {
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* string = node.as_string()) return string->get();
  const auto* array = node.as_array();
  const auto is_string = [](const toml::node& item) { return item.is_string(); };
  if (!array || !std::all_of(array->begin(), array->end(), is_string)) return unusable{kind_of(node.type())};
  std::vector<std::string> items;
  for (const auto& item : *array) items.push_back(item.as_string()->get());
  return items;
}

/// The entries of a table as they stand in the file; a table itself keeps them by name.
std::vector<std::pair<const toml::key*, const toml::node*>> in_order(const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
  const auto place = [](const auto& entry) { return entry.first->source().begin; };
  std::sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return entries;
}

/// Throws `std::system_error` where the file cannot be read or is no settings file by its size.
std::string content_of(const std::filesystem::path& file) {
  errno = 0; // streams tell that they failed; the reason is left here
  std::ifstream input(file, std::ios::binary);
  std::string content(largest_file + 1, '\0');
  input.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(input.gcount()));
  if (content.size() > largest_file) throw std::system_error(EFBIG, std::generic_category());
  if (!input.eof()) throw std::system_error(errno ? errno : EIO, std::generic_category());
  return content;
}

/// Kubernetes describes a service named "backstay" to all its neighbours in variables that look like settings.
bool is_service_link(std::string_view name, std::string_view value) {
  return name.starts_with("BACKSTAY_SERVICE_") || name.starts_with("BACKSTAY_PORT_") ||
         (name == "BACKSTAY_PORT" && value.find("://") != value.npos);
}

/// Gathers settings and complaints, source by source.
class reader {
public:
  std::variant<settings, std::vector<complaint>> read(const sources& from) {
    if (from.file) read_file(*from.file);
    read_environment(from.environment);
    for (const auto& argument : from.set) read_argument(argument);
    read_keys_of_file();
    imply_development();
    check_together();
    if (!complaints_.empty()) return std::move(complaints_);
    decode_keys();
    return std::move(values_);
  }

private:
  void complain(std::string where, std::string_view key, std::string text) {
    complaints_.push_back({std::move(where), std::string{key}, std::move(text)});
  }

  /// Complains about a setting where it was written.
  void complain_about(std::string_view name, std::string text) {
    const auto origin = origins_.find(name);
    complain(origin == origins_.end() ? "" : origin->second, name, std::move(text));
  }

  bool was_set(std::string_view name) const { return origins_.contains(name); }

  bool is_wrong(std::string_view name) const {
    return std::any_of(complaints_.begin(), complaints_.end(), [&](const auto& each) { return each.key == name; });
  }

  void set(const declaration& row, const written& value, std::string where) {
    if (auto problem = assign(row, values_, value)) complain(where, row.name, std::move(*problem));
    origins_.insert_or_assign(row.name, std::move(where));
  }

  void read_file(const std::filesystem::path& file) try {
    const auto content = content_of(file);
    read_table(toml::parse(std::string_view{content}), "", file.string());
  } catch (const toml::parse_error& error) {
    const auto place = error.source().begin;
    complain(fmt::format("{}:{}:{}", file.string(), place.line, place.column), "", std::string{error.description()});
  } catch (const std::system_error& error) {
    complain(file.string(), "", error.code().message());
  }

  void read_table(const toml::table& table, const std::string& prefix, const std::string& file) {
    for (const auto& [key, node] : in_order(table)) {
      const auto name = prefix + std::string{key->str()};
      const auto where = fmt::format("{}:{}", file, key->source().begin.line);
      const auto* inner = node->as_table();
      if (const auto* row = find(name)) set(*row, value_of(*node), where);
      else if (is_section(name) && !inner)
        complain(where, name, fmt::format("is a section, not a setting; write [{}] above its settings", name));
      else if (inner && (is_section(name) || !inner->empty())) read_table(*inner, name + '.', file);
      else complain(where, name, unknown(name, as_in_file));
    }
  }

  void read_environment(const std::map<std::string, std::string>& environment) {
    for (const auto& [alias, name] : {std::pair{"DATABASE_URL", "database.url"}, {"ENVIRONMENT", "environment"}})
      if (const auto found = environment.find(alias); found != environment.end() && !found->second.empty())
        set(*find(name), plain_text{found->second}, alias);
    for (const auto& [name, value] : environment)
      if (name.starts_with("BACKSTAY_") && !value.empty() && !is_service_link(name, value)) read_variable(name, value);
  }

  void read_variable(const std::string& name, const std::string& value) {
    for (const auto& row : declarations())
      if (environment_name(row.name) == name) return set(row, plain_text{value}, name);
    complain(name, "", unknown(name, environment_name));
  }

  void read_argument(std::string_view argument) {
    const auto equals = argument.find('=');
    // The text may be a secret that was put in the wrong place, so it is not repeated.
    if (equals == argument.npos) return complain("--set", "", "expected section.key=value");
    const auto name = argument.substr(0, equals);
    const auto where = fmt::format("--set {}", name);
    if (const auto* row = find(name)) set(*row, plain_text{argument.substr(equals + 1)}, where);
    else complain(where, name, unknown(name, as_in_file));
  }

  void read_keys_of_file() try {
    if (values_.security.keys_file.empty()) return;
    if (!values_.security.keys.empty())
      return complain_about("security.keys_file", "give either security.keys or security.keys_file, not both");
    const auto found = read_keys(values_.security.keys_file);
    for (const auto line : found.bad_lines)
      complain(fmt::format("{}:{}", values_.security.keys_file, line), "security.keys_file",
               "expected a key of at least 32 bytes, in base64url or hex");
    if (found.keys.empty() && found.bad_lines.empty()) complain_about("security.keys_file", "the file holds no key");
    for (const auto& key : found.keys) values_.security.keys.emplace_back(encode_key(key));
  } catch (const std::system_error& error) {
    complain_about("security.keys_file", "cannot be read: " + error.code().message());
  }

  void decode_keys() {
    for (auto& key : values_.security.keys) key = *decode_key(key.reveal());
  }

  void imply_development() {
    if (values_.sandbox.enabled && !was_set("environment")) values_.environment = "development";
  }

  void check_together() {
    const auto& s = values_;
    const bool production = s.in_production() && !is_wrong("environment"); // a slip is no wish for production
    if (production && s.sandbox.enabled)
      complain_about("environment", "the sandbox never runs in production; leave one of the two out");
    if (production && s.security.keys.empty() && !is_wrong("security.keys") && !is_wrong("security.keys_file"))
      complain_about(
          "security.keys",
          "required in production; make a key with: openssl rand -hex 32 (or set environment to development)");
    check_order("database.statement_timeout", s.database.statement_timeout, "timeouts.job", s.timeouts.job);
    check_order("timeouts.job", s.timeouts.job, "timeouts.domain", s.timeouts.domain);
    check_order("timeouts.domain", s.timeouts.domain, "timeouts.request", s.timeouts.request);
    if (s.sessions.refresh > s.sessions.refresh_remembered)
      complain_about("sessions.refresh", "must not be longer than sessions.refresh_remembered");
    if (s.sandbox.enabled && s.http.port == s.sandbox.port && s.http.port != 0)
      complain_about("sandbox.port", "is the same as http.port");
    if (!s.panel.url.empty() && s.panel.token.empty()) complain_about("panel.token", "required with panel.url");
    if (!s.mail.key.empty() && s.mail.from.empty()) complain_about("mail.from", "required with mail.key");
    check_smtp(s);
  }

  void check_smtp(const settings& s) {
    if (s.mail.transport != "smtp") return;
    if (s.sandbox.enabled) {
      if (s.sandbox.smtp_port == 0)
        complain_about("mail.transport", "the sandbox takes SMTP at sandbox.smtp_port only");
      return;
    }
    if (s.mail.host.empty()) complain_about("mail.transport", "smtp requires mail.host");
    else if (s.mail.from.empty()) complain_about("mail.from", "required with mail.host");
  }

  /// The outer time-out must leave the inner one room to answer.
  void check_order(std::string_view inner, milliseconds shorter, std::string_view outer, milliseconds longer) {
    if (shorter >= longer)
      complain_about(was_set(inner) ? inner : outer, fmt::format("{} ({}) must be less than {} ({})", inner,
                                                                 duration_text(shorter), outer, duration_text(longer)));
  }

  settings values_;
  std::vector<complaint> complaints_;
  std::map<std::string_view, std::string, std::less<>> origins_; ///< Where each setting was written last.
};

} // namespace

std::string complaint::line() const {
  std::string result = where;
  // A source that already names the setting need not be followed by its name.
  if (!key.empty() && !where.ends_with(key)) result += (result.empty() ? "" : ": ") + key;
  result += ": " + text;
  // Names and texts come from outside and may hold anything.
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return result;
}

std::variant<settings, std::vector<complaint>> load(const sources& from) { return reader{}.read(from); }

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view line = *entry;
    const auto equals = line.find('=');
    if (equals != line.npos) result.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return result;
}

} // namespace backstay::config
