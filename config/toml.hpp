#pragma once

// toml++ 3.3 states as certain that a table's name begins with a letter before it has looked: "[[[" in a file is
// an abort where assertions are on, and undefined behaviour where NDEBUG turns them into assumptions. With neither,
// the check that follows reports the error.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
