#pragma once

#include <array>
#include <string_view>

/// Object identifiers of CSR attributes and their meaning.
namespace acmetool::est::oid
{

inline constexpr std::string_view kRequestTemplate = "1.2.840.113549.1.9.16.2.61"; // RFC 9908 section 7
inline constexpr std::string_view kExtensionReqTemplate = "1.2.840.113549.1.9.16.2.62";

inline constexpr std::string_view kEcPublicKey = "1.2.840.10045.2.1"; // RFC 5480
inline constexpr std::string_view kRsaEncryption = "1.2.840.113549.1.1.1";
inline constexpr std::string_view kEd25519 = "1.3.101.112"; // RFC 8410

struct Meaning {
    std::string_view oid;
    std::string_view word;
};

inline constexpr std::array<Meaning, 3> kCurves{
    {{"1.2.840.10045.3.1.7", "ec:P-256"}, {"1.3.132.0.34", "ec:P-384"}, {"1.3.132.0.35", "ec:P-521"}}};

/// Signature algorithms and hash functions; either can determine the hash of the signature.
inline constexpr std::array<Meaning, 9> kDigests{{{"1.2.840.10045.4.3.2", "sha256"},
                                                  {"1.2.840.10045.4.3.3", "sha384"},
                                                  {"1.2.840.10045.4.3.4", "sha512"},
                                                  {"1.2.840.113549.1.1.11", "sha256"},
                                                  {"1.2.840.113549.1.1.12", "sha384"},
                                                  {"1.2.840.113549.1.1.13", "sha512"},
                                                  {"2.16.840.1.101.3.4.2.1", "sha256"},
                                                  {"2.16.840.1.101.3.4.2.2", "sha384"},
                                                  {"2.16.840.1.101.3.4.2.3", "sha512"}}};

/// The word for `number`; empty if there is none.
template <std::size_t Size>
constexpr std::string_view word_for(const std::array<Meaning, Size>& table, std::string_view number)
{
    for (const auto& meaning : table)
        if (meaning.oid == number) return meaning.word;
    return {};
}

/// The first number for `word`; empty if there is none.
template <std::size_t Size>
constexpr std::string_view number_for(const std::array<Meaning, Size>& table, std::string_view word)
{
    for (const auto& meaning : table)
        if (meaning.word == word) return meaning.oid;
    return {};
}

} // namespace acmetool::est::oid
