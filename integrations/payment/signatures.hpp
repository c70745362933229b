#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What providers sign their calls by where the signature is a member of the JSON that it signs.
namespace backstay::payment_provider {

/// A member of a JSON object, as it stands in the object's text.
struct json_member {
  std::string name;       ///< decoded
  std::string_view text;  ///< name, colon and value
  std::string_view value; ///< the end of `text`
};

/// The members of the object that is all of `text`, in its order; they point into it.
/// Errors: `malformed` for what is no object, and for one that names a member twice: of two signatures or two states
/// the signer might have meant the other one.
std::vector<json_member> split_members(std::string_view text);

/// The member of that name; null if there is none.
const json_member* find_member(const std::vector<json_member>& members, std::string_view name);

/// Lower-case hexadecimal digests, for providers that sign by nothing better. Nothing else may rely on these.
std::string md5_hex(std::string_view data);
std::string sha1_hex(std::string_view data);

} // namespace backstay::payment_provider
