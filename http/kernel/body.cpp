#include "http/kernel/body.hpp"

#include "http/kernel/text.hpp"

#include <set>
#include <stdexcept>

namespace backstay::http {

namespace {

using nlohmann::json;

constexpr std::size_t deepest = 32;

/// Builds a `json` like nlohmann's own parser, but refuses duplicate names and deep nesting before they cost anything.
class strict_builder : public json::json_sax_t {
public:
  json result;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (stack_.back()->contains(name)) return refuse("The JSON object has the name \"" + name + "\" twice.");
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // The library's text repeats parts of the body, which may be secret; the place is enough.
    bool range = error.id == 406;
    return refuse((range ? "A number is out of range" : "The body is not valid JSON") + std::string{" near byte "} +
                  std::to_string(position) + ".");
  }

  const std::string& complaint() const { return complaint_; }

private:
  bool refuse(std::string why) {
    complaint_ = std::move(why);
    return false;
  }
  template <class T>
  json* place(T&& value) {
    if (stack_.empty()) return &(result = std::forward<T>(value));
    auto& parent = *stack_.back();
    if (parent.is_array()) return &parent.emplace_back(std::forward<T>(value));
    return &(parent[name_] = std::forward<T>(value));
  }
  template <class T>
  bool put(T&& value) {
    place(std::forward<T>(value));
    return true;
  }
  bool open(json container) {
    if (stack_.size() == deepest) return refuse("The JSON is nested too deeply.");
    stack_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  std::vector<json*> stack_; // pointers stay valid: only the innermost container grows
  std::string name_, complaint_;
};

json read_json(std::string_view text) {
  strict_builder builder;
  if (!json::sax_parse(text, &builder)) fail(ec::malformed, builder.complaint());
  return std::move(builder.result);
}

/// Takes the part before the next `;` off `header`; what stands in quotes is not looked into.
std::string_view take_parameter(std::string_view& header) {
  std::size_t end = 0;
  for (bool quoted = false; end < header.size() && (quoted || header[end] != ';'); ++end) quoted ^= header[end] == '"';
  auto taken = trim(header.substr(0, end));
  header.remove_prefix(std::min(header.size(), end + 1));
  return taken;
}

/// The value of `name` in a header such as `form-data; name="avatar"; filename="me.png"` (RFC 7578 section 4.2).
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    auto one = take_parameter(header);
    auto equals = one.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(one.substr(0, equals), name)) continue;
    auto value = one.substr(equals + 1);
    bool quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
    return std::string{quoted ? value.substr(1, value.size() - 2) : value};
  }
  return std::nullopt;
}

struct part {
  std::string disposition, content_type;
  std::string_view content;
};

part read_part(std::string_view text) {
  part result;
  auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) fail(ec::malformed, "A part of the multipart body has no end of its headers.");
  auto head = text.substr(0, end);
  while (!head.empty()) {
    auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto value = std::string{trim(line.substr(colon + 1))};
    if (equal_ignoring_case(line.substr(0, colon), "Content-Disposition")) result.disposition = value;
    if (equal_ignoring_case(line.substr(0, colon), "Content-Type")) result.content_type = value;
  }
  result.content = text.substr(end + 4);
  return result;
}

void take_part(body_content& into, std::string_view text) {
  auto read = read_part(text);
  auto name = parameter(read.disposition, "name").value_or("");
  if (name.empty()) fail(ec::malformed, "A part of the multipart body has no name.");
  // Not by its Content-Type: Dart's client gives one to every field with letters beyond ASCII.
  if (auto filename = parameter(read.disposition, "filename"))
    into.files.try_emplace(name, upload{*filename, read.content_type, std::string{read.content}});
  else if (!is_utf8(read.content)) fail(ec::malformed, "The body is not valid UTF-8.");
  else into.form->try_emplace(name, read.content);
}

/// RFC 2046 section 5.1: parts between lines of `--boundary`.
void read_multipart(body_content& into, std::string_view body, const std::string& boundary) {
  if (boundary.empty() || boundary.size() > 70) fail(ec::malformed, "The multipart body has no valid boundary.");
  auto delimiter = "--" + boundary;
  into.form.emplace();
  auto at = body.find(delimiter);
  while (at != std::string_view::npos) {
    at += delimiter.size();
    if (body.substr(at, 2) == "--") return;
    auto next = body.find("\r\n" + delimiter, at);
    if (next == std::string_view::npos) break;
    if (body.substr(at, 2) != "\r\n") break;
    take_part(into, body.substr(at + 2, next - at - 2));
    at = next + 2;
  }
  fail(ec::malformed, "The multipart body is cut off.");
}

} // namespace

text_fields read_form(std::string_view text) {
  text_fields fields;
  while (!text.empty()) {
    auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!name || !value || !is_utf8(*name) || !is_utf8(*value))
      fail(ec::malformed, "The form or query is not valid: a broken escape or invalid UTF-8.");
    fields.try_emplace(std::move(*name), std::move(*value));
  }
  return fields;
}

body_content read_body(const request& in) {
  body_content content{.object = json::object()};
  if (in.body.empty()) return content;
  auto type = in.header("Content-Type");
  auto media = to_lower(trim(type.substr(0, type.find(';'))));
  if (media.empty() || media == "application/json" || media.ends_with("+json") || media == "text/plain")
    content.object = read_json(in.body);
  else if (media == "application/x-www-form-urlencoded") content.form = read_form(in.body);
  else if (media == "multipart/form-data") read_multipart(content, in.body, parameter(type, "boundary").value_or(""));
  else fail(ec::malformed, "The Content-Type is not understood; send application/json.");
  return content;
}

} // namespace backstay::http
