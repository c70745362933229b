#include "http/kernel/openapi.hpp"

#include "http/kernel/text.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace backstay::http {

namespace {

using nlohmann::json;

json error_schema() {
  return json::parse(R"({
    "type": "object",
    "description": "Every error looks like this.",
    "required": ["detail", "error", "request_id"],
    "properties": {
      "detail": {"type": "string", "description": "For people"},
      "error": {
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
          "code": {"type": "string", "description": "For programs, UPPER_SNAKE", "examples": ["NOT_FOUND"]},
          "message": {"type": "string"},
          "details": {"type": "object"}
        }
      },
      "errors": {
        "type": "array",
        "description": "With 422: every broken field",
        "items": {
          "type": "object",
          "required": ["loc", "msg", "type"],
          "properties": {
            "loc": {"type": "array", "items": {"type": "string"}},
            "msg": {"type": "string"},
            "type": {"type": "string"}
          }
        }
      },
      "request_id": {"type": "string", "description": "Also in the header X-Request-ID and in our log"}
    }
  })");
}

} // namespace

std::string make_openapi(const router& routes, const std::vector<std::string>& sockets, const std::string& server_url) {
  json paths = json::object();
  std::set<std::string> tags;
  for (auto& route : routes.routes()) {
    if (!route->describe) continue;
    auto operation = route->describe();
    tags.insert(route->tag);
    auto id = operation["operationId"].get<std::string>();
    for (std::size_t i = 0; i < route->paths.size(); ++i) {
      auto& slot = paths[route->paths[i]][to_lower(route->method)];
      slot = operation;
      if (i > 0) slot["operationId"] = id + "_alias" + std::to_string(i);
    }
  }
  json document{{"openapi", "3.1.0"},
                {"info",
                 {{"title", "Backstay"},
                  {"version", BACKSTAY_VERSION},
                  {"description",
                   "The back end that keeps a subscription product standing: sign-in, plans, payments, live status."},
                  {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
                {"servers", json::array({{{"url", server_url}}})},
                {"tags", json::array()},
                {"paths", paths},
                {"x-websockets", sockets},
                {"components",
                 {{"schemas", {{"Error", error_schema()}}},
                  {"securitySchemes",
                   {{"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}},
                    {"cookie",
                     {{"type", "apiKey"},
                      {"in", "cookie"},
                      {"name", "session_token"},
                      {"description",
                       "Writes also need the header `X-CSRF-Token`, or come from a page of the same origin"}}}}}}}};
  for (auto& tag : tags) document["tags"].push_back({{"name", tag}, {"description", tag}});
  return document.dump(1);
}

} // namespace backstay::http
