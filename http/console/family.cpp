#include "http/console/family.hpp"

namespace backstay::http::console {

void add_all(router& to, const domains& who) {
  add_browser_sessions(to, who);
  add_profile(to, who);
}

} // namespace backstay::http::console
