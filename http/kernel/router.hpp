#pragma once

#include "http/kernel/route.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::http {

/// Finds the route of a path in one walk over its segments. Literal segments win over `{placeholders}`; a trailing
/// slash makes no difference; placeholders are percent-decoded. Built once, then read from any thread.
class router {
public:
  /// Throws `std::logic_error` when the method and path are taken.
  void add(route declared);

  struct match {
    const http::route* route = nullptr;
    std::vector<std::string> placeholders;
    std::string allowed; ///< the path exists, but not with this method: what goes into `Allow`
  };
  match find(std::string_view method, std::string_view path) const;

  const std::vector<std::unique_ptr<route>>& routes() const { return routes_; }

private:
  struct node {
    std::map<std::string, std::unique_ptr<node>, std::less<>> literals;
    std::unique_ptr<node> placeholder;
    std::map<std::string, const http::route*, std::less<>> methods;
  };
  static const node* walk(const node& from, std::string_view path, std::vector<std::string_view>& values);

  node root_;
  std::vector<std::unique_ptr<route>> routes_;
};

} // namespace backstay::http
