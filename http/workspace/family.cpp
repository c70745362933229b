#include "http/workspace/family.hpp"

namespace backstay::http::workspace {

void add_all(router& to, const domains& who) {
  add_profile(to, who);
  add_session_tokens(to, who);
}

} // namespace backstay::http::workspace
