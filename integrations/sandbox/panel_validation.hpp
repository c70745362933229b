#pragma once

#include "integrations/sandbox/fake.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

namespace backstay::sandbox {

/// Checks a request to the panel field by field and collects what is wrong, in the shape that the panel (zod 4)
/// answers. A field that is not there passes, unless it is required. A nullable one may be null.
class validation {
public:
  enum class may_be { absent, absent_or_null, required };

  /// @param subject the object with the fields; anything else is refused at once.
  explicit validation(const json& subject);

  void text(const char* name, std::size_t shortest, std::size_t longest, may_be presence = may_be::absent);
  /// Letters, digits and some more characters; `pattern` and `message` are for the answer.
  void characters(const char* name, std::string_view allowed, const char* pattern, const char* message);
  void choice(const char* name, std::initializer_list<const char*> values);
  void number(const char* name, double least, may_be presence = may_be::absent);
  /// @param too_big replaces the usual message for a number over `most`.
  void integer(const char* name, std::int64_t least, std::int64_t most, may_be presence = may_be::absent,
               const char* too_big = nullptr);
  void flag(const char* name);
  void email(const char* name);
  void uuid(const char* name, may_be presence = may_be::absent);
  void uuids(const char* name);
  void date(const char* name, may_be presence = may_be::absent);
  /// A rule of the panel's own; an empty name stands for the whole request.
  void fail(const std::string& name, const std::string& message);

  /// @throws refusal with all that is wrong.
  void finish() const;

private:
  const json* find(const char* name, const char* expected, may_be presence);
  void add(json error, const std::string& name, const std::string& message);
  void wrong_type(const char* expected, const std::string& name, const json* value);

  const json& subject_;
  json errors_ = json::array();
};

/// The query of a call as the panel reads it: values that look like whole numbers are numbers.
json numbers_of(const std::map<std::string, std::string>& query);

} // namespace backstay::sandbox
