#include "integrations/mail/mime.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/error.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <sodium.h>

namespace backstay::mail {

namespace {

using namespace std::chrono;

std::string base64(std::string_view bytes) {
  constexpr int variant = sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    variant);
  text.pop_back();
  return text;
}

/// In lines of 76 characters (RFC 2045, 6.8).
std::string base64_lines(std::string_view bytes) {
  constexpr std::size_t bytes_a_line = 57;
  std::string lines;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), bytes_a_line)))
    lines += base64(bytes.substr(0, bytes_a_line)) + "\r\n";
  return lines;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// How many bytes of `text` go into one encoded word: up to 36, so that a line stays below the 76 of RFC 2047 (2), and
/// no code point is torn.
std::size_t word_size(std::string_view text) {
  std::size_t size = std::min<std::size_t>(text.size(), 36);
  while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
  return size == 0 ? std::min<std::size_t>(text.size(), 36) : size; // no UTF-8 at all
}

/// Encoded words (RFC 2047) unless it is ASCII.
std::string header_text(std::string_view text) {
  if (is_plain(text)) return std::string{text};
  std::string words;
  while (!text.empty()) {
    auto size = word_size(text);
    words.append(words.empty() ? "" : "\r\n ").append("=?UTF-8?B?").append(base64(text.substr(0, size))).append("?=");
    text.remove_prefix(size);
  }
  return words;
}

std::string mailbox(std::string_view text) {
  auto open = text.find('<');
  if (open == std::string_view::npos) return std::string{text};
  auto name = text.substr(0, open);
  while (name.ends_with(' ')) name.remove_suffix(1);
  // Quoted (RFC 5322, 3.2.4), so that it may hold commas and dots.
  std::string shown = is_plain(name) ? "\"" : header_text(name);
  if (is_plain(name)) {
    for (char c : name)
      if (c != '"' && c != '\\') shown += c;
    shown += '"';
  }
  return name.empty() ? std::string{text.substr(open)} : shown + " " + std::string{text.substr(open)};
}

/// RFC 5322, 3.3; its names are English whatever the locale.
std::string date(timestamp now) {
  constexpr std::array weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto day = floor<days>(now);
  year_month_day calendar{day};
  hh_mm_ss clock{floor<seconds>(now - day)};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", weekdays[weekday{day}.c_encoding()],
                     unsigned{calendar.day()}, months[unsigned{calendar.month()} - 1], int{calendar.year()},
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string part(std::string_view type, const secret& content) {
  return fmt::format("Content-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", type,
                     base64_lines(content.reveal()));
}

} // namespace

std::string address_of(std::string_view mailbox) {
  auto open = mailbox.rfind('<');
  return std::string{open == std::string_view::npos ? mailbox : mailbox.substr(open + 1, mailbox.size() - open - 2)};
}

secret compose(std::string_view from, const send_mail& what, timestamp now) {
  // Control characters would begin another header, or another recipient.
  if (!is_plain(what.to) || what.to.find_first_of(" <>,;") != std::string::npos) fail(ec::refused);
  auto sender = address_of(from);
  auto unique = crypto::to_hex(crypto::sha256(what.key.empty() ? crypto::random_bytes(32) : what.key)).substr(0, 32);
  auto boundary = "=_" + unique; // "=_" never stands in base64
  auto text = fmt::format("Date: {}\r\nFrom: {}\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@{}>\r\n"
                          "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
                          "Content-Type: multipart/alternative;\r\n boundary=\"{}\"\r\n\r\n",
                          date(now), mailbox(from), what.to, header_text(what.subject), unique,
                          sender.substr(sender.find('@') + 1), boundary);
  for (auto& [type, content] : {std::pair{"text/plain", &what.text}, {"text/html", &what.html}})
    if (!content->empty()) text += fmt::format("--{}\r\n{}", boundary, part(type, *content));
  return secret{text + "--" + boundary + "--\r\n"};
}

} // namespace backstay::mail
