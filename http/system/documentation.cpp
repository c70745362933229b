#include "http/system/system.hpp"

#include "embedded/docs.hpp"
#include "http/kernel/openapi.hpp"

namespace backstay::http::system {

namespace {

// Swagger UI writes style attributes; everything comes from here, nothing from a CDN.
constexpr auto page_policy =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const char* type_of(std::string_view file) {
  if (file.ends_with(".html")) return "text/html; charset=utf-8";
  if (file.ends_with(".css")) return "text/css; charset=utf-8";
  return "text/javascript; charset=utf-8";
}

route file_at(std::string path, std::string content, const char* type) {
  auto shared = std::make_shared<const std::string>(std::move(content));
  return {.method = "GET",
          .paths = {std::move(path)},
          .bucket = bucket::none,
          .tag = "System",
          .handle = [shared, type](const exchange_ptr& x) {
            x->answer({.content_type = type,
                       .body = *shared,
                       .headers = {{"Content-Security-Policy", page_policy}, {"Cache-Control", "no-cache"}}});
          }};
}

} // namespace

void add_documentation(router& to, const std::vector<std::string>& sockets, const std::string& server_url) {
  for (auto& file : embedded::docs()) {
    auto name = file.path.substr(file.path.rfind('/') + 1);
    auto path = name == "index.html" ? std::string{"/docs"} : "/docs/" + std::string{name};
    to.add(file_at(path, std::string{file.content}, type_of(name)));
  }
  to.add(file_at("/openapi.json", make_openapi(to, sockets, server_url), "application/json"));
}

} // namespace backstay::http::system
