#pragma once

#include "config/secret.hpp"

namespace backstay::two_factor {

/// A QR code (ISO/IEC 18004, error correction M) as a PNG picture, black on white with its quiet zone, in the form of a
/// data: URI (RFC 2397). Pure, about a millisecond. Throws `internal` when the text is longer than any QR code holds.
secret qr_picture(const secret& text);

} // namespace backstay::two_factor
