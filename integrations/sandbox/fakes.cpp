#include "integrations/sandbox/fake.hpp"

namespace backstay::sandbox {

using maker = std::unique_ptr<fake>(world&);

// A fake's line: its maker, defined in the file of that name.
maker make_panel;
maker make_cryptobot;
maker make_mail;

std::vector<std::unique_ptr<fake>> make_fakes(world& w) {
  std::vector<std::unique_ptr<fake>> all;
  for (auto* make : {make_panel, make_cryptobot, make_mail}) all.push_back(make(w));
  return all;
}

} // namespace backstay::sandbox
