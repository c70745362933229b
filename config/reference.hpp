#pragma once

#include <string>

namespace backstay::config {

/// The page `docs/configuration.md`: every setting with its names, type, default, bounds and meaning, as Markdown.
std::string reference();

/// A settings file with every default, commented out.
std::string example();

} // namespace backstay::config
