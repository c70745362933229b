#define CAF_SUITE actors_kernel_crypto

#include "actors/kernel/crypto.hpp"

#include <algorithm>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::string_literals;

CAF_TEST(SHA 256 of the vectors of FIPS 180) {
  CAF_CHECK_EQUAL(crypto::to_hex(crypto::sha256("abc")),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CAF_CHECK_EQUAL(crypto::to_hex(crypto::sha256("")),
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

CAF_TEST(HMAC of the vectors of RFC 4231) {
  struct vector {
    std::string key, data, mac;
  };
  std::string counting;
  for (char c = 1; c <= 25; ++c) counting += c;
  const std::vector<vector> vectors{
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counting, std::string(50, '\xcd'), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
       "hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (auto& [key, data, mac] : vectors) CAF_CHECK_EQUAL(crypto::to_hex(crypto::hmac(key, data)), mac);
}

CAF_TEST(base64url of the vectors of RFC 4648 without padding) {
  const std::vector<std::pair<std::string, std::string>> vectors{
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
  };
  for (auto& [bytes, text] : vectors) {
    CAF_CHECK_EQUAL(crypto::to_base64url(bytes), text);
    CAF_CHECK(crypto::from_base64url(text) == bytes);
  }
}

CAF_TEST(base64url has one spelling) {
  for (auto bad : {"Zg==", "Zm9v=", "Z", "Zm9vY", "Zm9v Zm9v", "Zm9v\n", "+/+/", "Zh", "Zm9", "Zm9v.", "\xd0\xb6"})
    CAF_CHECK(!crypto::from_base64url(bad));
}

CAF_TEST(hex keeps zeros) { CAF_CHECK_EQUAL(crypto::to_hex("\x00\x0f\xff"s), "000fff"); }

CAF_TEST(random bytes and digits have their size and differ) {
  std::set<std::string> bytes, digits;
  for (int i = 0; i < 50; ++i) {
    bytes.insert(crypto::random_bytes(16));
    auto code = crypto::random_digits(9);
    CAF_CHECK_EQUAL(code.size(), 9u);
    CAF_CHECK(std::all_of(code.begin(), code.end(), [](char c) { return c >= '0' && c <= '9'; }));
    digits.insert(code);
  }
  CAF_CHECK_EQUAL(bytes.size(), 50u);
  CAF_CHECK(bytes.begin()->size() == 16);
  CAF_CHECK(digits.size() > 45);
}

CAF_TEST(equal compares all bytes) {
  CAF_CHECK(crypto::equal("", ""));
  CAF_CHECK(crypto::equal("a\0b"s, "a\0b"s));
  CAF_CHECK(!crypto::equal("a\0b"s, "a\0c"s));
  CAF_CHECK(!crypto::equal("abc", "abcd"));
}

CAF_TEST(base64 of the vectors of RFC 4648) {
  const std::vector<std::pair<std::string, std::string>> vectors{
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff", "+/8="}};
  for (auto& [data, text] : vectors) {
    CAF_CHECK_EQUAL(crypto::to_base64(data), text);
    CAF_CHECK(crypto::from_base64(text) == data);
  }
  for (auto wrong : {"Zg", "Zg=", "Zm9v!", "-_8=", "Zm9v\n"}) CAF_CHECK(!crypto::from_base64(wrong));
}

CAF_TEST(P 256 signatures of the vectors of RFC 6979) {
  auto bytes = [](const std::string& hex) {
    std::string data;
    for (std::size_t i = 0; i < hex.size(); i += 2) data += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return data;
  };
  // A.2.5 with SHA-256, key and signatures wrapped in DER by hand.
  const auto key = bytes("3059301306072a8648ce3d020106082a8648ce3d030107034200"
                         "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
  const auto of_sample = bytes("3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                               "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
  const auto of_test = bytes("3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                             "0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
  CAF_CHECK(crypto::is_p256_key(key));
  CAF_CHECK(crypto::verifies_p256(key, "sample", of_sample) && crypto::verifies_p256(key, "test", of_test));
  CAF_CHECK(!crypto::verifies_p256(key, "sample", of_test) && !crypto::verifies_p256(key, "sample", ""));
  CAF_CHECK(!crypto::verifies_p256(key, "sample", of_sample.substr(1)));
  auto off_the_curve = key;
  off_the_curve.back() ^= 1;
  for (auto& wrong : {off_the_curve, key + "x", key.substr(1), std::string{}}) {
    CAF_CHECK(!crypto::is_p256_key(wrong));
    CAF_CHECK(!crypto::verifies_p256(wrong, "sample", of_sample));
  }
}
