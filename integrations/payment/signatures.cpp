#include "integrations/payment/signatures.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

namespace backstay::payment_provider {

namespace {

using integrations::fail_outside;
using integrations::json;

/// Walks over a text that is known to be JSON.
class scanner {
public:
  explicit scanner(std::string_view text) : text_(text) { skip_space(); }

  char next() const { return text_[at_]; }

  void step() {
    ++at_;
    skip_space();
  }

  std::string_view take_string() {
    const auto begin = at_;
    skip_string();
    const auto taken = text_.substr(begin, at_ - begin);
    skip_space();
    return taken;
  }

  /// A value inside an object: up to the comma or brace behind it, without the space before those.
  std::string_view take_value() {
    const auto begin = at_;
    auto end = at_;
    for (int depth = 0; depth > 0 || (next() != ',' && next() != '}'); skip_space()) {
      if (next() == '"') skip_string();
      else {
        depth += next() == '{' || next() == '[';
        depth -= next() == '}' || next() == ']';
        ++at_;
      }
      end = at_;
    }
    return text_.substr(begin, end - begin);
  }

  std::string_view since(std::string_view start, std::string_view last) const {
    const auto begin = static_cast<std::size_t>(start.data() - text_.data());
    return text_.substr(begin, static_cast<std::size_t>(last.data() + last.size() - start.data()));
  }

private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  void skip_string() {
    for (++at_; next() != '"'; ++at_)
      if (next() == '\\') ++at_;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string digest_hex(const char* algorithm, std::string_view data) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  std::size_t size = 0;
  // It cannot fail but where OpenSSL was told to leave these algorithms out.
  if (EVP_Q_digest(nullptr, algorithm, nullptr, data.data(), data.size(),
                   reinterpret_cast<unsigned char*>(digest.data()), &size) != 1)
    throw std::runtime_error{std::string{"OpenSSL has no "} + algorithm};
  digest.resize(size);
  return crypto::to_hex(digest);
}

} // namespace

std::vector<json_member> split_members(std::string_view text) {
  if (!json::accept(text) || text.find_first_not_of(" \t\r\n") != text.find('{'))
    fail_outside(ec::malformed, "not a JSON object");
  scanner in{text};
  std::vector<json_member> members;
  in.step(); // the brace
  while (in.next() != '}') {
    const auto name = in.take_string();
    in.step(); // the colon
    const auto value = in.take_value();
    members.push_back({json::parse(name).get<std::string>(), in.since(name, value), value});
    const auto& added = members.back();
    if (find_member(members, added.name) != &added) fail_outside(ec::malformed, "a member comes twice");
    if (in.next() == ',') in.step();
  }
  return members;
}

const json_member* find_member(const std::vector<json_member>& members, std::string_view name) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const json_member& each) { return each.name == name; });
  return found == members.end() ? nullptr : &*found;
}

std::string md5_hex(std::string_view data) { return digest_hex("MD5", data); }
std::string sha1_hex(std::string_view data) { return digest_hex("SHA1", data); }

} // namespace backstay::payment_provider
