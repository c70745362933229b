#include "actors/kernel/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <sodium.h>

#include <memory>

namespace backstay::crypto {

namespace {

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string encode_base64(std::string_view data, int variant) {
  std::string text(sodium_base64_encoded_len(data.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes(data), data.size(), variant);
  text.pop_back();
  return text;
}

std::optional<std::string> decode_base64(std::string_view text, int variant) {
  std::string data(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  int failed = sodium_base642bin(bytes(data), data.size(), text.data(), text.size(), nullptr, &size, &end, variant);
  if (failed || end != text.data() + text.size()) return std::nullopt;
  data.resize(size);
  return data;
}

struct freed {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using public_key = std::unique_ptr<EVP_PKEY, freed>;

/// Null unless it is one. OpenSSL refuses points that are not on the curve.
public_key read_p256_key(std::string_view der) {
  auto at = bytes(der);
  public_key key{d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size()))};
  char curve[16] = {};
  bool is_p256 = key && at == bytes(der) + der.size() &&
                 EVP_PKEY_get_group_name(key.get(), curve, sizeof curve, nullptr) == 1 &&
                 std::string_view{curve} == SN_X9_62_prime256v1;
  ERR_clear_error(); // what strangers send is no error of ours
  return is_p256 ? std::move(key) : nullptr;
}

} // namespace

void fill_random(void* target, std::size_t size) { randombytes_buf(target, size); }

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  fill_random(bytes.data(), size);
  return bytes;
}

std::string random_digits(int digits) {
  std::string text;
  for (int i = 0; i < digits; ++i) text += static_cast<char>('0' + randombytes_uniform(10));
  return text;
}

std::string sha256(std::string_view data) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string hmac(std::string_view key, std::string_view data) {
  // libsodium's state lives on the stack; OpenSSL 3's one-shot HMAC fetches its algorithm anew each time (8 µs).
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()), key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(data.data()), data.size());
  std::string mac(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(mac.data()));
  return mac;
}

std::string seal(const secret& key, const secret& text) {
  auto sealed = random_bytes(crypto_secretbox_NONCEBYTES);
  sealed.resize(sealed.size() + crypto_secretbox_MACBYTES + text.reveal().size());
  crypto_secretbox_easy(bytes(sealed) + crypto_secretbox_NONCEBYTES, bytes(text.reveal()), text.reveal().size(),
                        bytes(sealed), bytes(key.reveal()));
  return sealed;
}

std::optional<secret> open(const secret& key, std::string_view sealed) {
  constexpr auto head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  if (sealed.size() < head) return std::nullopt;
  std::string plain(sealed.size() - head, '\0');
  int failed =
      crypto_secretbox_open_easy(bytes(plain), bytes(sealed) + crypto_secretbox_NONCEBYTES,
                                 sealed.size() - crypto_secretbox_NONCEBYTES, bytes(sealed), bytes(key.reveal()));
  if (failed) return std::nullopt;
  return secret{std::move(plain)};
}

std::string to_hex(std::string_view data) {
  std::string text(data.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(data.data()), data.size());
  text.pop_back();
  return text;
}

std::string to_base64(std::string_view data) { return encode_base64(data, sodium_base64_VARIANT_ORIGINAL); }

std::optional<std::string> from_base64(std::string_view text) {
  return decode_base64(text, sodium_base64_VARIANT_ORIGINAL);
}

std::string to_base64url(std::string_view data) {
  return encode_base64(data, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::optional<std::string> from_base64url(std::string_view text) {
  return decode_base64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool is_p256_key(std::string_view key) { return read_p256_key(key) != nullptr; }

bool verifies_p256(std::string_view key, std::string_view data, std::string_view signature) {
  auto read = read_p256_key(key);
  std::unique_ptr<EVP_MD_CTX, freed> context{EVP_MD_CTX_new()};
  return read && context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, read.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(data), data.size()) == 1;
}

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace backstay::crypto
