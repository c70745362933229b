#pragma once

#include "integrations/sandbox/fake.hpp"

#include <string>

namespace backstay::sandbox {

/// A page with a form for every control route of the table.
std::string render_page(const routes& table);

} // namespace backstay::sandbox
