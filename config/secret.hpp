#pragma once

#include <algorithm>
#include <fmt/core.h>
#include <iosfwd>
#include <string>
#include <string_view>

namespace backstay {

/// Text that must not be seen: prints as `***`, compares in constant time and is wiped when it goes.
/// Only `reveal()` shows it, so that a search for that word finds every place where a secret is used.
class secret {
public:
  secret() = default;
  explicit secret(std::string text) noexcept;
  secret(const secret&) = default;
  secret(secret&& other) noexcept;
  secret& operator=(secret other) noexcept;
  ~secret();

  /// The text itself, valid as long as this object is neither changed nor destroyed.
  const std::string& reveal() const noexcept { return text_; }

  /// True for no text at all, which for a setting means "not given".
  bool empty() const noexcept { return text_.empty(); }

  /// Takes the same time wherever the two differ; only a difference in length shows.
  friend bool operator==(const secret& left, const secret& right) noexcept;

private:
  void wipe() noexcept;

  std::string text_;
};

/// Prints `***`.
std::ostream& operator<<(std::ostream& out, const secret&);

/// Gives `***`; CAF prints message members by this.
std::string to_string(const secret&);

} // namespace backstay

/// Prints `***`.
template <>
struct fmt::formatter<backstay::secret> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const backstay::secret&, Context& context) const {
    return std::copy_n("***", 3, context.out());
  }
};
