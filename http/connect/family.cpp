#include "http/connect/family.hpp"

namespace backstay::http::connect {

void add_all(router& to, const domains& who) { add_sign_in(to, who); }

} // namespace backstay::http::connect
