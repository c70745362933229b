#include "actors/outbox/letters.hpp"

#include "actors/kernel/text.hpp"

#include <algorithm>
#include <string_view>

namespace backstay::outbox {

namespace {

/// What a letter says in one language, one paragraph a member; what is empty is left out. The link's label is shown in
/// HTML only: in text the link stands for itself.
struct wording {
  std::string_view subject, before, after_code, link_label, after;
};

constexpr std::string_view ignore = "If it was not you, ignore this letter: nothing happens without you.";
constexpr std::string_view ignore_russian = "Если это были не вы, не отвечайте на это письмо: без вас ничего не "
                                            "произойдёт.";
constexpr std::string_view alarm = "If it was not you, reset your password at once and write to our support.";
constexpr std::string_view alarm_russian = "Если это были не вы, сразу сбросьте пароль и напишите в поддержку.";

constexpr wording english(template_name which) {
  switch (which) {
  case template_name::verification_code:
    return {"Your verification code", "Your verification code is:", "", "",
            "Enter it in the app to go on. If you did not ask for it, ignore this letter: nobody gets in without the "
            "code."};
  case template_name::verification_link:
    return {"Confirm your e-mail address", "Open this link to confirm that this address is yours:", "",
            "Confirm the address", ignore};
  case template_name::password_reset:
    return {"Set a new password", "Somebody asked for a new password for your account. Your code is:",
            "Enter it in the app, or open this link:", "Set a new password", ignore};
  case template_name::magic_link:
    return {"Your sign-in link", "Open this link to sign in. It works once:", "", "Sign in", ignore};
  case template_name::email_changed:
    return {"Your e-mail address was changed",
            "Your account has another e-mail address now; this one does not belong to it any more.", "", "", alarm};
  case template_name::password_changed:
    return {"Your password was changed",
            "Your account has a new password, and everybody who was signed in has to sign in again.", "", "", alarm};
  case template_name::account_deleted:
    return {"Your account was deleted",
            "Your account was deleted and everybody is signed out. What is personal will be removed for good.", "", "",
            "If it was not you, write to our support soon: until then it can be brought back."};
  }
  return {};
}

constexpr wording russian(template_name which) {
  switch (which) {
  case template_name::verification_code:
    return {"Ваш код подтверждения", "Ваш код подтверждения:", "", "",
            "Введите его в приложении, чтобы продолжить. Если вы его не запрашивали, не отвечайте на это письмо: без "
            "кода никто не войдёт."};
  case template_name::verification_link:
    return {"Подтвердите адрес почты", "Откройте ссылку, чтобы подтвердить, что это ваш адрес:", "",
            "Подтвердить адрес", ignore_russian};
  case template_name::password_reset:
    return {"Новый пароль", "Для вашей учётной записи запросили новый пароль. Ваш код:",
            "Введите его в приложении или откройте ссылку:", "Задать новый пароль", ignore_russian};
  case template_name::magic_link:
    return {"Ссылка для входа", "Откройте ссылку, чтобы войти. Она действует один раз:", "", "Войти", ignore_russian};
  case template_name::email_changed:
    return {"Адрес почты изменён", "У вашей учётной записи теперь другой адрес почты; этот ей больше не принадлежит.",
            "", "", alarm_russian};
  case template_name::password_changed:
    return {"Пароль изменён", "У вашей учётной записи новый пароль, на всех устройствах нужно войти снова.", "", "",
            alarm_russian};
  case template_name::account_deleted:
    return {"Учётная запись удалена",
            "Ваша учётная запись удалена, на всех устройствах выполнен выход. Личные данные будут стёрты навсегда.", "",
            "", "Если это были не вы, скорее напишите в поддержку: до тех пор её можно вернуть."};
  }
  return {};
}

/// A code or link as it may stand in both texts. Ours are digits, and URLs without any of these; whatever else a row
/// might hold is no markup.
std::string plain(const secret& value) {
  auto text = value.reveal();
  std::erase_if(text, [](char c) { return c == '<' || c == '>' || c == '&' || c == '"' || c == '\''; });
  return text;
}

std::string as_text(const wording& words, const std::string& code, const std::string& link) {
  std::string text;
  for (std::string_view paragraph :
       {words.before, std::string_view{code}, words.after_code, std::string_view{link}, words.after})
    if (!paragraph.empty()) text.append(text.empty() ? "" : "\n\n").append(paragraph);
  return text + "\n";
}

/// Markup as mail programs understand it: inline styles, no pictures, nothing to load.
std::string as_html(const wording& words, std::string_view language, const std::string& code, const std::string& link) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"";
  html.append(language).append("\"><head><meta charset=\"utf-8\"><title>").append(words.subject);
  html += "</title></head>\n<body style=\"font-family:sans-serif;font-size:16px;line-height:1.5;max-width:32em\">";
  auto add = [&](std::string_view opening, std::string_view content, std::string_view closing) {
    if (!content.empty()) html.append("\n").append(opening).append(content).append(closing);
  };
  add("<p>", words.before, "</p>");
  add("<p style=\"font-size:32px;font-weight:bold;letter-spacing:0.2em\">", code, "</p>");
  add("<p>", words.after_code, "</p>");
  if (!link.empty()) add("<p><a href=\"" + link + "\">", words.link_label, "</a></p>");
  add("<p>", words.after, "</p>");
  return html + "\n</body></html>\n";
}

} // namespace

mail::send_mail write_letter(const mail_work& what, const std::string& key) {
  bool in_russian = is_russian(what.locale);
  auto words = in_russian ? russian(what.template_) : english(what.template_);
  auto code = plain(what.code), link = plain(what.link);
  return {key, what.to, std::string{words.subject}, secret{as_text(words, code, link)},
          secret{as_html(words, in_russian ? "ru" : "en", code, link)}};
}

} // namespace backstay::outbox
