#include "crypto/openssl_words.h"

#include <cerrno>

#include <doctest/doctest.h>
#include <openssl/asn1err.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/csr.h"
#include "crypto/key.h"

using namespace acmetool;
using crypto::words_for;

TEST_CASE("FLD-U16: what OpenSSL reports is said in our words")
{
    CHECK(words_for(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_WRONG_VERSION_NUMBER)) == "the peer does not speak TLS");
    CHECK(words_for(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TLSV1_ALERT_UNKNOWN_CA)) ==
          "the peer does not know the CA of our certificate");
    CHECK(words_for(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)) ==
          "the peer requires a client certificate");
    CHECK(words_for(ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + 200)) ==
          "the peer sent the TLS alert 200");
    CHECK(words_for(ERR_SYSTEM_FLAG | ENOENT) == "No such file or directory");
    CHECK(words_for(ERR_PACK(ERR_LIB_ASN1, 0, ASN1_R_WRONG_TAG)).empty());
    // What is in no table has its number, which can be looked up.
    CHECK(words_for(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH)) ==
          "OpenSSL's error 0A00010F, which \"openssl errstr 0A00010F\" explains");
}

TEST_CASE("FLD-U16: malformed input is named, without a parser's words")
{
    CHECK(crypto::parse_csr("nonsense").error().message == "not a certificate request");
    CHECK(crypto::parse_private_key("nonsense", "my.key", {}).error().message == "my.key: not a private key");
}
