#include "integrations/sandbox/checkout.hpp"

#include "integrations/sandbox/values.hpp"

namespace backstay::sandbox {

std::string render_checkout(const checkout& page) {
  const auto price = escape_html(page.price);
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Pay " +
      price +
      "</title>\n"
      "<style>body { font: 18px/1.6 system-ui, sans-serif; max-width: 28rem; margin: 3rem auto; "
      "padding: 0 1rem } button { font: inherit; width: 100%; padding: .6rem; margin: .3rem 0 }</style>\n"
      "<h1>" +
      price + "</h1>\n<p>" + escape_html(page.description) + "</p>\n<p>Status: <b>" + escape_html(page.status) +
      "</b></p>\n";
  for (const auto& [action, label] : page.buttons)
    html += "<form method=\"post\" action=\"" + escape_html(page.path + "/" + action) + "\"><button>" +
            escape_html(label) + "</button></form>\n";
  return html + "<p><small>Sandbox: no money moves.</small></p>\n</html>\n";
}

} // namespace backstay::sandbox
