#include "integrations/sandbox/page.hpp"

#include "integrations/sandbox/values.hpp"

namespace backstay::sandbox {

namespace {

constexpr auto head = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backstay sandbox</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  form { border-top: 1px solid #8886; padding: .75rem 0; }
  form p { margin: 0 0 .25rem; }
  input { font: inherit; width: 14rem; }
  button { font: inherit; }
  pre { background: #8882; padding: .75rem; overflow: auto; max-height: 24rem; }
  pre:empty { display: none; }
</style>
<h1>Backstay sandbox</h1>
<p>Fakes of the outside systems. What happens here costs nothing and reaches nobody.
Fields that stay empty are not sent.</p>
)";

// A value that reads as JSON is sent as that: true, 3, ["a"]; anything else is a string.
constexpr auto script = R"(<script>
  const parsed = text => { try { return JSON.parse(text) } catch { return text } };
  const submit = async event => {
    event.preventDefault();
    const form = event.target, output = form.querySelector("pre");
    let [method, path] = form.dataset.call.split(" "), query = new URLSearchParams(), body = {};
    for (const [name, value] of new FormData(form)) {
      if (path.includes(`{${name}}`)) path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (value === "") continue;
      else if (name.startsWith("?")) query.set(name.slice(1), value);
      else body[name] = parsed(value);
    }
    const sends = method === "POST" && Object.keys(body).length > 0;
    const answer = await fetch(path + (query.size ? "?" + query : ""), {
      method, headers: sends ? { "content-type": "application/json" } : {}, body: sends ? JSON.stringify(body) : undefined,
    }).catch(error => ({ status: error.message, text: async () => "" }));
    const text = await answer.text();
    output.textContent = `${answer.status}\n${text && JSON.stringify(parsed(text), null, 2)}`;
  };
  for (const form of document.forms) form.addEventListener("submit", submit);
</script>
</html>
)";

std::string render_form(const route& row) {
  const auto target = escape_html(row.method + " " + row.pattern);
  auto html = "<form data-call=\"" + target + "\">\n<p><b>" + escape_html(row.summary) + "</b> <code>" + target +
              "</code></p>\n";
  for (const auto& [name, example] : row.fields)
    html += "<input name=\"" + escape_html(name) + "\" aria-label=\"" + escape_html(name) + "\" placeholder=\"" +
            escape_html(name + (example.empty() ? "" : ": " + example)) + "\">\n";
  return html + "<button>Do it</button>\n<pre aria-live=\"polite\"></pre>\n</form>\n";
}

} // namespace

std::string render_page(const routes& table) {
  std::string html = head;
  for (const auto& row : table.rows)
    if (!row.summary.empty()) html += render_form(row);
  return html + script;
}

} // namespace backstay::sandbox
