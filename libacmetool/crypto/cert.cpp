#include "crypto/cert.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "crypto/certificate_context.h"
#include "crypto/certificate_memory.h"
#include "crypto/digest.h"
#include "crypto/general_names.h"
#include "crypto/issuer_memory.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

constexpr std::size_t kMostCertificates = 100;

} // namespace

Certificate Certificate::adopt(X509* x509)
{
    Certificate certificate;
    certificate.x509_.reset(x509, X509_free);
    return certificate;
}

Bytes Certificate::der() const
{
    unsigned char* out = nullptr;
    const int size = i2d_X509(get(), &out);
    const OpensslMemory owned{out};
    return size > 0 ? Bytes(out, out + size) : Bytes{};
}

std::string Certificate::to_pem() const
{
    const BioPtr bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_X509(bio.get(), get()) != 1) return {};
    return contents(bio.get());
}

Key Certificate::public_key() const
{
    return Key::adopt(X509_get_pubkey(get()));
}

base::TimePoint Certificate::not_before() const
{
    return time_of(X509_get0_notBefore(get()));
}

base::TimePoint Certificate::not_after() const
{
    return time_of(X509_get0_notAfter(get()));
}

std::string Certificate::serial() const
{
    const BignumPtr number{ASN1_INTEGER_to_BN(X509_get0_serialNumber(get()), nullptr)};
    if (!number) return {};
    Bytes octets(static_cast<std::size_t>(std::max(BN_num_bytes(number.get()), 1)));
    BN_bn2binpad(number.get(), octets.data(), static_cast<int>(octets.size()));
    return to_hex(octets);
}

Bytes Certificate::serial_octets() const
{
    unsigned char* out = nullptr;
    const int size = i2d_ASN1_INTEGER(X509_get0_serialNumber(get()), &out);
    const OpensslMemory owned{out};
    const unsigned char* content = out;
    long length = 0;
    int tag = 0;
    int tag_class = 0;
    if (size <= 0 || (ASN1_get_object(&content, &length, &tag, &tag_class, size) & 0x80) != 0) return {};
    return {content, content + length};
}

Bytes Certificate::authority_key_id() const
{
    const auto* id = X509_get0_authority_key_id(get());
    if (id == nullptr) return {};
    const unsigned char* octets = ASN1_STRING_get0_data(id);
    return {octets, octets + ASN1_STRING_length(id)};
}

std::string Certificate::subject() const
{
    return name_text(X509_get_subject_name(get()));
}

std::string Certificate::issuer() const
{
    return name_text(X509_get_issuer_name(get()));
}

std::vector<Identifier> Certificate::identifiers() const
{
    const GeneralNamesPtr names{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(get(), NID_subject_alt_name, nullptr, nullptr))};
    return read_general_names(names.get()).identifiers;
}

Bytes Certificate::sha256() const
{
    return crypto::sha256(der());
}

bool Certificate::is_issued_by(const Certificate& issuer) const
{
    const bool named = X509_check_issued(issuer.get(), get()) == X509_V_OK;
    ERR_clear_error(); // "no" is an answer, not a failure
    if (!named) return false;
    auto& memory = IssuerMemory::instance();
    auto pair = IssuerMemory::name_of(*this, issuer);
    if (memory.knows(pair)) return true;
    const PkeyPtr key{X509_get_pubkey(issuer.get())};
    const bool match = key && X509_verify(get(), key.get()) == 1;
    ERR_clear_error();
    if (match) memory.add(std::move(pair));
    return match;
}

namespace
{

Result<Certificate> read_block(ByteView der, std::string_view what, Errc code)
{
    const auto* data = der.data();
    auto read = read_certificate(&data, der.size());
    if (!read) return openssl_failure(code, fmt::format("{}: a certificate that cannot be read", what));
    if (X509_get0_pubkey(read->get()) == nullptr)
        return openssl_failure(code, fmt::format("{}: a certificate whose public key cannot be read", what));
    return std::move(*read);
}

/// The certificate of an issuer in a chain, from `memory` if an earlier chain had it.
Result<Certificate> read_issuer(ByteView der, std::string_view what, Errc code, CertificateMemory& memory)
{
    if (auto known = memory.find(der)) return std::move(*known);
    ACMETOOL_TRY(read, read_block(der, what, code));
    memory.add(der, read);
    return read;
}

/// All CERTIFICATE blocks of `text`, in order. Blocks of other types are skipped. With `memory`, all after
/// the first are issuers.
Result<std::vector<Certificate>> read_blocks(std::string_view text, std::string_view what, Errc code,
                                             CertificateMemory* memory = nullptr)
{
    const BioPtr bio = memory_bio(text);
    if (!bio) return openssl_failure(Errc::internal, "preparing to read certificates");
    std::vector<Certificate> found;
    unsigned char* der = nullptr;
    long size = 0;
    while (PEM_bytes_read_bio(&der, &size, nullptr, PEM_STRING_X509, bio.get(), nullptr, nullptr) == 1) {
        const OpensslMemory owned{der};
        const ByteView octets{der, static_cast<std::size_t>(size)};
        ACMETOOL_TRY(read, memory == nullptr || found.empty() ? read_block(octets, what, code)
                                                              : read_issuer(octets, what, code, *memory));
        found.push_back(std::move(read));
        if (found.size() > kMostCertificates)
            return fail(code, fmt::format("{}: more than {} certificates", what, kMostCertificates));
    }
    const auto after = static_cast<std::size_t>(BIO_pending(bio.get()));
    const auto rest = text.substr(text.size() - std::min(after, text.size()));
    if (rest.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos ||
        (found.empty() && after == 0 && text.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos))
        return openssl_failure(code, fmt::format("{}: a certificate that cannot be read", what));
    static_cast<void>(openssl_failure(code, {})); // the end of the input is reported as an error by OpenSSL
    return found;
}

} // namespace

Result<std::vector<Certificate>> parse_certificates(std::string_view text, std::string_view what)
{
    text = base::without_byte_order_mark(text);
    ACMETOOL_TRY(found, read_blocks(text, what, Errc::bad_input));
    if (!found.empty()) return std::move(found);
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    auto read = read_certificate(&data, text.size());
    if (!read || X509_get0_pubkey(read->get()) == nullptr)
        return openssl_failure(Errc::bad_input, fmt::format("{}: contains no certificate", what),
                               "expected PEM (-----BEGIN CERTIFICATE-----) or DER");
    return std::vector<Certificate>{std::move(*read)};
}

Result<std::vector<Certificate>> parse_pem_chain(std::string_view text)
{
    // RFC 8555 section 11.4: "In order to avoid attacks of this kind, ... clients SHOULD ... verify that the
    // file contains only encapsulated certificates": any other block may be an attack by the server.
    constexpr std::string_view kBegin = "-----BEGIN";
    constexpr std::string_view kCertificate = "-----BEGIN CERTIFICATE-----";
    std::size_t blocks = 0;
    for (auto at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at + 1), ++blocks)
        if (text.substr(at, kCertificate.size()) != kCertificate)
            return fail(Errc::protocol, "certificate chain: a PEM block that is not a certificate",
                        "the CA sent other data with the certificate; all of it was discarded",
                        "chainForeignBlock");
    ACMETOOL_TRY(chain,
                 read_blocks(text, "certificate chain", Errc::protocol, &CertificateMemory::instance()));
    if (chain.empty() || chain.size() != blocks)
        return fail(Errc::protocol, "certificate chain: not PEM certificates", {}, "chainUnreadable");
    return std::move(chain);
}

std::string to_pem(const std::vector<Certificate>& chain)
{
    std::string text;
    for (const auto& certificate : chain)
        text += certificate.to_pem();
    return text;
}

} // namespace acmetool::crypto
