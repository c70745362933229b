#define CAF_SUITE actors_kernel_names

#include "actors/kernel/names.hpp"

#include "actors/kernel/role.hpp"
#include "actors/kernel/text.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;

namespace {

enum class nameless { one };
static_assert(named_enum<role> && !named_enum<nameless> && !named_enum<int>);

} // namespace

CAF_TEST(values have names and names have values) {
  CAF_CHECK_EQUAL(std::string{name_of(role::operator_)}, "operator");
  for (auto each : {role::viewer, role::support, role::operator_, role::admin, role::super_admin})
    CAF_CHECK(from_name<role>(name_of(each)) == each);
  for (auto bad : {"", "Viewer", "operator_", "root", "viewer "}) CAF_CHECK(!from_name<role>(bad));
}

// The contract's ruling 2, as a table: the roles from `viewer` on, and what they may.
CAF_TEST(each role may what the table says) {
  const std::vector<std::pair<permission, role>> least{
      {permission::server_read, role::viewer},         {permission::account_read, role::support},
      {permission::payment_read, role::support},       {permission::ticket_answer, role::support},
      {permission::monitoring_read, role::operator_},  {permission::manage, role::admin},
      {permission::roles_and_keys, role::super_admin},
  };
  for (auto& [what, from] : least)
    for (auto who : {role::viewer, role::support, role::operator_, role::admin, role::super_admin})
      CAF_CHECK_EQUAL(may(who, what), who >= from);
}

CAF_TEST(lower case touches ASCII letters only) { CAF_CHECK_EQUAL(to_lower("AZaz09[`{\xd0\x96"), "azaz09[`{\xd0\x96"); }
