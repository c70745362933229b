#pragma once

#include "integrations/sandbox/fake.hpp"

#include <functional>
#include <string>
#include <vector>

namespace backstay::sandbox {

/// The panel's subscription templates: one "Default" of each type, which stays, and those that were added. The shapes
/// are of the OpenAPI document of 3.3.2, the refusals of the panel's source.
class panel_templates {
public:
  /// Ends a call: status, message and code of a business error.
  using refusal_maker = std::function<void(const call& c, int status, const std::string& message, const char* code)>;

  explicit panel_templates(refusal_maker refuse);

  void declare(routes& table, fake& of, std::function<void()> changed);
  json save() const { return all_; }
  void load(const json& state) { all_ = state; }

private:
  json::iterator at(const call& c, const std::string& uuid);
  void check_name(const call& c, const std::string& name, const std::string& type, const std::string& except) const;
  answer list() const;
  answer add(const call& c);
  answer change(const call& c);
  answer remove(const call& c);

  refusal_maker refuse_;
  /// Each as the API shows it, with its content.
  json all_ = json::array();
};

} // namespace backstay::sandbox
