#include "config/secret.hpp"

#include <ostream>
#include <sodium.h>
#include <utility>

namespace backstay {

secret::secret(std::string text) noexcept : text_(std::move(text)) {}

secret::secret(secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }

secret& secret::operator=(secret other) noexcept {
  text_.swap(other.text_);
  return *this;
}

secret::~secret() { wipe(); }

// A short string lives inside the object and moving it leaves a copy behind, so the whole capacity is wiped.
void secret::wipe() noexcept {
  text_.resize(text_.capacity());
  sodium_memzero(text_.data(), text_.size());
  text_.clear();
}

bool operator==(const secret& left, const secret& right) noexcept {
  return left.text_.size() == right.text_.size() &&
         sodium_memcmp(left.text_.data(), right.text_.data(), left.text_.size()) == 0;
}

std::ostream& operator<<(std::ostream& out, const secret& hidden) { return out << to_string(hidden); }

std::string to_string(const secret&) { return "***"; }

} // namespace backstay
