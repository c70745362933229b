#include "http/kernel/router.hpp"

#include "http/kernel/text.hpp"

#include <stdexcept>

namespace backstay::http {

namespace {

/// Takes the first segment off `path`; empty segments (a trailing or doubled slash) are skipped.
std::string_view take_segment(std::string_view& path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  auto segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

} // namespace

void router::add(route declared) {
  auto& kept = routes_.emplace_back(std::make_unique<route>(std::move(declared)));
  for (std::string_view path : kept->paths) {
    auto* at = &root_;
    for (auto segment = take_segment(path); !segment.empty(); segment = take_segment(path)) {
      auto& next = segment.starts_with('{') ? at->placeholder : at->literals[std::string{segment}];
      if (!next) next = std::make_unique<node>();
      at = next.get();
    }
    if (!at->methods.emplace(kept->method, kept.get()).second)
      throw std::logic_error{"two endpoints at " + kept->method + " " + kept->paths.front()};
  }
}

const router::node* router::walk(const node& from, std::string_view path, std::vector<std::string_view>& values) {
  auto segment = take_segment(path);
  if (segment.empty()) return from.methods.empty() ? nullptr : &from;
  if (auto literal = from.literals.find(segment); literal != from.literals.end())
    if (auto* end = walk(*literal->second, path, values)) return end;
  if (!from.placeholder) return nullptr;
  auto depth = values.size();
  values.push_back(segment);
  if (auto* end = walk(*from.placeholder, path, values)) return end;
  values.resize(depth);
  return nullptr;
}

router::match router::find(std::string_view method, std::string_view path) const {
  std::vector<std::string_view> values;
  auto* end = walk(root_, path, values);
  if (!end) return {};
  match found;
  if (auto entry = end->methods.find(method); entry != end->methods.end()) {
    found.route = entry->second;
  } else if (auto get = end->methods.find("GET"); method == "HEAD" && get != end->methods.end()) {
    found.route = get->second; // RFC 9110 section 9.3.2: as GET, without the content
  } else {
    for (auto& [name, ignored] : end->methods)
      found.allowed += (found.allowed.empty() ? "" : ", ") + (name == "GET" ? "GET, HEAD" : name);
    return found;
  }
  for (auto value : values) {
    auto decoded = percent_decode(value, false);
    if (!decoded || !is_utf8(*decoded)) return {};
    found.placeholders.push_back(std::move(*decoded));
  }
  return found;
}

} // namespace backstay::http
