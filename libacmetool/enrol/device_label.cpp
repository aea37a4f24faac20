#include "enrol/device_label.h"

#include <algorithm>
#include <array>

#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "crypto/openssl.h"

namespace acmetool::enrol
{
namespace
{

constexpr std::size_t kLongestLabel = 63;

/// RFC 4648 section 7 in lower case, as names are written, without padding.
std::string to_base32hex(ByteView bytes)
{
    constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuv";
    std::string text;
    std::uint32_t bits = 0;
    int count = 0;
    for (const auto octet : bytes) {
        bits = (bits << 8U | octet) & 0xffffU;
        for (count += 8; count >= 5; count -= 5)
            text += kAlphabet[bits >> (count - 5) & 31U];
    }
    if (count > 0) text += kAlphabet[bits << (5 - count) & 31U];
    return text;
}

bool is_label(std::string_view text)
{
    const bool ldh = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    return ldh && !text.empty() && text.size() <= kLongestLabel && text.front() != '-' &&
           text.back() != '-' && (text.size() < 4 || text.substr(2, 2) != "--");
}

} // namespace

std::string device_label(std::string_view serial)
{
    auto label = base::to_lower(serial);
    if (is_label(label)) return label;
    std::array<std::uint8_t, 32> digest{};
    EVP_Digest(serial.data(), serial.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return "h-" + to_base32hex(digest); // 256 bits are 52 characters
}

Result<std::string> device_serial(const crypto::Certificate& idevid)
{
    const X509_NAME* subject = X509_get_subject_name(idevid.get());
    const int at = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
    const bool another = at >= 0 && X509_NAME_get_index_by_NID(subject, NID_serialNumber, at) >= 0;
    if (at < 0 || another)
        return fail(Errc::bad_input,
                    "subject " + base::printable(idevid.subject()) +
                        (another ? " has several serialNumbers" : " has no serialNumber"),
                    "a device's certificate names it by the serialNumber attribute (RFC 8995 section 2.3.1)",
                    "noSerialNumber");
    unsigned char* out = nullptr;
    const int size = ASN1_STRING_to_UTF8(&out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    const crypto::OpensslMemory owned{out};
    if (size <= 0) {
        auto failure =
            crypto::openssl_failure(Errc::bad_input, "the serialNumber of the subject is not text");
        failure.value().reason = "noSerialNumber";
        return failure;
    }
    return std::string{reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

std::string random_label()
{
    std::array<std::uint8_t, 16> octets{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return {};
    return "r-" + to_base32hex(octets);
}

} // namespace acmetool::enrol
