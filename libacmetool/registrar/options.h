#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "crypto/crl.h"

/// What relay.toml says about BRSKI; files not read yet.
namespace acmetool::registrar
{

/// A manufacturer whose devices come with vouchers.
struct ManufacturerOptions {
    std::string name;
    std::vector<std::string> trust;       ///< PEM files of the CAs of its IDevIDs
    crypto::CrlOptions crl;               ///< of these CAs
    std::vector<std::string> serial_from; ///< see enrol::SerialFields
    std::chrono::seconds grace{0};        ///< its devices' certificates may have expired so long ago
    std::vector<std::string> masa_hosts;  ///< "host" or "host:port" that an IDevID may name (SEC-06)
    std::string masa_url;                 ///< asked instead of what IDevIDs name; empty: theirs
    std::string masa_ca;                  ///< PEM anchors of the MASA's TLS server; empty: the system's
    std::string masa_certificate;         ///< PEM, shown to a MASA that asks for it; empty: none
    std::string masa_key;                 ///< of masa_certificate
    std::string masa_credentials;         ///< file "user:password" for HTTP authentication there; empty: none
    bool private_addresses = false;       ///< the MASA may be on loopback or in a private network

    bool operator==(const ManufacturerOptions&) const = default;
};

struct Options {
    std::vector<ManufacturerOptions> manufacturers; ///< empty: no BRSKI
    /// PEM files of all CAs whose IDevIDs the registration authority accepts.
    std::vector<std::string> device_trust;
    std::chrono::milliseconds wait{5'000}; ///< of a request over EST for its voucher, before 202
    std::chrono::seconds retry_after{10};
    std::chrono::seconds masa_timeout{30};
    std::chrono::seconds give_up{std::chrono::hours{1}}; ///< after the last answer of a MASA
    bool audit_log = true;                  ///< ask for it, and refuse devices whose log is not good
    std::vector<std::string> known_domains; ///< domainIDs of earlier owners that are taken
    bool nonceless = false;                 ///< nonceless vouchers in the log are taken
    bool other_domains = false;             ///< any earlier owners are taken

    bool operator==(const Options&) const = default;
};

} // namespace acmetool::registrar
