#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <stdexcept>
#include <utility>

namespace backstay::config {

namespace {

/// Why a value does not suit its setting; ends in `assign()`.
struct unfit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

std::string_view kind_of(const written& value) {
  constexpr std::array kinds{"this text", "a boolean", "an integer", "a string", "a list"};
  const auto* odd = std::get_if<unusable>(&value);
  return odd ? odd->what : kinds[value.index()];
}

[[noreturn]] void reject(std::string_view expected, const written& value) {
  throw unfit(fmt::format("expected {}, not {}", expected, kind_of(value)));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

/// The text of a value that is text, whatever its source.
const std::string* quoted(const written& value) { return std::get_if<std::string>(&value); }

std::optional<std::string_view> text_in(const written& value) {
  if (const auto* plain = std::get_if<plain_text>(&value)) return plain->characters;
  if (const auto* string = quoted(value)) return *string;
  return {};
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const auto first = item.find_first_not_of(' ');
    if (first != item.npos) items.emplace_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
  }
  return items;
}

/// Text from outside, short and on one line, for a complaint.
std::string excerpt(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string result{text.substr(0, longest)};
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
  return text.size() > longest ? result + "…" : result;
}

void check_range(std::int64_t number, std::string_view shown, const declaration& row) {
  if (number < row.must.least || number > row.must.most)
    throw unfit(fmt::format("{} is out of bounds, allowed is {}", shown, bounds_text(row)));
}

bool is_choice(std::string_view text, std::string_view choices) {
  while (!choices.empty()) {
    const auto choice = choices.substr(0, choices.find('|'));
    if (text == choice) return true;
    choices.remove_prefix(std::min(choice.size() + 1, choices.size()));
  }
  return false;
}

void check_text(std::string_view text, const declaration& row) {
  const auto& must = row.must;
  const bool right = (must.choices.empty() || is_choice(text, must.choices)) && (!must.fits || must.fits(text));
  if (!right && is_secret(row)) throw unfit(fmt::format("expected {}", bounds_text(row)));
  if (!right) throw unfit(fmt::format("\"{}\" is not allowed, expected {}", excerpt(text), bounds_text(row)));
}

void take(bool& target, const written& value, const declaration&) {
  if (const auto* boolean = std::get_if<bool>(&value)) {
    target = *boolean;
    return;
  }
  const auto* plain = std::get_if<plain_text>(&value);
  if (!plain) reject("true or false", value);
  const auto text = plain->characters;
  if (text != "true" && text != "false" && text != "1" && text != "0") reject("true or false", value);
  target = text == "true" || text == "1";
}

template <class Integer>
void take(Integer& target, const written& value, const declaration& row) {
  std::optional<std::int64_t> number;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) number = *integer;
  if (const auto* plain = std::get_if<plain_text>(&value)) number = parse_integer(plain->characters);
  if (!number) reject("an integer", value);
  check_range(*number, std::to_string(*number), row);
  target = static_cast<Integer>(*number);
}

void take(milliseconds& target, const written& value, const declaration& row) {
  constexpr std::string_view expected = "a duration such as \"250ms\", \"15m\" or \"30d\"";
  const auto text = text_in(value);
  if (!text) reject(expected, value);
  const auto duration = parse_duration(*text);
  if (!duration) throw unfit(fmt::format("\"{}\" is not {}", excerpt(*text), expected));
  check_range(duration->count(), *text, row);
  target = *duration;
}

void take(std::string& target, const written& value, const declaration& row) {
  const auto text = text_in(value);
  if (!text) reject("a string", value);
  check_text(*text, row);
  target = *text;
}

void take(secret& target, const written& value, const declaration& row) {
  const auto text = text_in(value);
  if (!text) reject("a string", value);
  check_text(*text, row);
  target = secret{std::string{*text}};
}

template <class Item>
void take(std::vector<Item>& target, const written& value, const declaration& row) {
  std::vector<std::string> items;
  if (const auto* plain = std::get_if<plain_text>(&value)) items = split(plain->characters);
  else if (const auto* list = std::get_if<std::vector<std::string>>(&value)) items = *list;
  else reject("a list of strings", value);
  for (const auto& item : items) check_text(item, row);
  target.clear();
  for (auto& item : items) target.emplace_back(std::move(item));
}

/// A basic string of TOML 1.0.
std::string quote(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      result += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else result += c;
  }
  return result + '"';
}

struct literal {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::uint16_t* value) const { return std::to_string(*value); }
  std::string operator()(const std::size_t* value) const { return std::to_string(*value); }
  std::string operator()(const milliseconds* value) const { return quote(duration_text(*value)); }
  std::string operator()(const std::string* value) const { return quote(*value); }
  std::string operator()(const secret* value) const { return value->empty() ? "\"\"" : quote(to_string(*value)); }
  template <class Item>
  std::string operator()(const std::vector<Item>* value) const {
    std::string result;
    for (const auto& item : *value) result += (result.empty() ? "" : ", ") + (*this)(&item);
    return "[" + result + "]";
  }
};

} // namespace

std::optional<std::string> assign(const declaration& row, settings& values, const written& value) try {
  std::visit([&](auto* target) { take(*target, value, row); }, row.of(values));
  return {};
} catch (const unfit& problem) {
  return problem.what();
}

std::string toml_literal(const member& value) { return std::visit(literal{}, value); }

std::string_view type_name(const member& value) {
  constexpr std::array<std::string_view, std::variant_size_v<member>> names{
      "boolean", "integer", "integer", "duration", "string", "list of strings", "secret", "list of secrets"};
  return names[value.index()];
}

std::string duration_text(milliseconds duration) {
  for (const auto& [name, length] : units)
    if (duration.count() != 0 && duration.count() % length == 0)
      return fmt::format("{}{}", duration.count() / length, name);
  return "0s";
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  for (const auto& [name, length] : units)
    if (number && text.substr(digits) == name && *number <= std::numeric_limits<std::int64_t>::max() / length)
      return milliseconds{*number * length};
  return {};
}

std::string bounds_text(const declaration& row) {
  settings defaults;
  const auto& must = row.must;
  if (std::holds_alternative<milliseconds*>(row.of(defaults)))
    return duration_text(milliseconds{must.least}) + ".." + duration_text(milliseconds{must.most});
  if (must.most != 0) return fmt::format("{}..{}{}{}", must.least, must.most, must.unit.empty() ? "" : " ", must.unit);
  if (must.choices.empty()) return std::string{must.shape};
  std::string words{must.choices};
  for (auto bar = words.find('|'); bar != words.npos; bar = words.find('|')) words.replace(bar, 1, ", ");
  return words;
}

} // namespace backstay::config
