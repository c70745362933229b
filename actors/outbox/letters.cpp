#include "actors/outbox/letters.hpp"

#include <algorithm>
#include <string_view>

namespace backstay::outbox {

namespace {

/// What a letter says in one language, one paragraph a member.
struct wording {
  std::string_view language, subject, before_code, after_code;
};

constexpr wording english{"en", "Your verification code", "Your verification code is:",
                          "Enter it in the app to go on. If you did not ask for it, ignore this letter: "
                          "nobody gets in without the code."};
constexpr wording russian{"ru", "Ваш код подтверждения", "Ваш код подтверждения:",
                          "Введите его в приложении, чтобы продолжить. Если вы его не запрашивали, не отвечайте на "
                          "это письмо: без кода никто не войдёт."};

const wording& wording_for(std::string_view locale) {
  auto is = [&](std::size_t at, char lower) { return locale.size() > at && (locale[at] | 0x20) == lower; };
  bool ends = locale.size() == 2 || (locale.size() > 2 && (locale[2] == '-' || locale[2] == '_'));
  return is(0, 'r') && is(1, 'u') && ends ? russian : english;
}

std::string as_text(const wording& words, const std::string& code) {
  std::string text{words.before_code};
  return text.append("\n\n").append(code).append("\n\n").append(words.after_code).append("\n");
}

/// Markup as mail programs understand it: inline styles, no pictures, nothing to load.
std::string as_html(const wording& words, const std::string& code) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"";
  html.append(words.language).append("\"><head><meta charset=\"utf-8\"><title>").append(words.subject);
  html += "</title></head>\n<body style=\"font-family:sans-serif;font-size:16px;line-height:1.5;max-width:32em\">\n<p>";
  html.append(words.before_code);
  html += "</p>\n<p style=\"font-size:32px;font-weight:bold;letter-spacing:0.2em\">";
  html.append(code).append("</p>\n<p>").append(words.after_code).append("</p>\n</body></html>\n");
  return html;
}

/// Ours are digits; whatever else a row might hold is no markup.
std::string plain(const secret& code) {
  auto text = code.reveal();
  std::erase_if(text, [](char c) { return c == '<' || c == '>' || c == '&'; });
  return text;
}

} // namespace

mail::send_mail write_letter(const mail_work& what, const std::string& key) {
  auto& words = wording_for(what.locale);
  auto code = plain(what.code);
  return {key, what.to, std::string{words.subject}, secret{as_text(words, code)}, secret{as_html(words, code)}};
}

} // namespace backstay::outbox
