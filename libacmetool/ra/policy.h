#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/anchor_store.h"
#include "enrol/device_label.h"
#include "enrol/registration_authority.h"
#include "ra/inventory.h"
#include "ra/options.h"
#include "ra/password_check.h"
#include "ra/records.h"
#include "ra/users.h"

namespace acmetool::ra
{

/// The operator's files as last read. Immutable: a reload creates a new object.
struct Files {
    crypto::AnchorStore manufacturers;
    std::vector<std::pair<crypto::AnchorStore, enrol::SerialFields>> serial_rules;
    Inventory inventory;
    Users users;

    /// Errors: config, naming the file.
    static Result<Files> read(const Options& options);
};

/// The peer's credentials, checked without the store.
struct Claim {
    std::optional<Device> idevid; ///< a valid manufacturer's certificate
    std::optional<crypto::Certificate>
        certificate;                ///< the end entity; the store determines whether we issued it
    std::string certificate_digest; ///< hexadecimal; empty without certificate
    std::string user;               ///< name and password are correct
    std::vector<std::string> user_names;
    std::string why_not;                   ///< why the certificate is not a manufacturer's
    std::optional<enrol::Refused> refused; ///< nothing else must be checked

    /// "certificate subject", "user:name" or "nobody", for events.
    std::string shown() const;
};
/// Checks the certificates on the caller's thread; `password` is the result of PasswordCheck for the peer's
/// user, if given.
Claim examine(const enrol::Peer& peer, const Files& files, std::optional<PasswordCheck::Verdict> password,
              base::TimePoint now);

/// The peer's identity, determined with the store.
struct Identity {
    enum class Kind { idevid, issued, user };
    Kind kind = Kind::idevid;
    Device device;
    std::vector<std::string> names;                 ///< user: allowed; issued: those of the certificate
    std::optional<crypto::Certificate> certificate; ///< the one presented
    std::string certificate_digest;
};

/// True if a request that may be a renewal is one: `identity` is a certificate issued here, and the CSR
/// requests its subject and names again.
bool is_renewal(const enrol::EnrolRequest& request, const Identity& identity);

/// The rules of one label.
struct LabelRules {
    LabelOptions options;
    DomainOptions domain;
};
/// Nothing if the label is unknown. The label "" always exists.
std::optional<LabelRules> rules_of(const Options& options, const std::string& label);

/// Checks the rules for every CSR, independent of the peer (INT-01, INT-03); nothing if they are met.
std::optional<enrol::Refused> judge_csr(const enrol::EnrolRequest& request, const Options& options,
                                        const LabelRules& rules);

/// Checks the channel binding in the CSR (ESTS-07, ESTS-08); nothing if it is valid.
std::optional<enrol::Refused> judge_binding(const enrol::EnrolRequest& request, const Options& options);

/// True if the device with this serial number is known without the store.
bool is_known(const Device& device, const std::string& label, const Options& options, const Files& files);

/// The names for san = "table": those of the inventory, single labels below `domain`.
std::vector<std::string> table_names(const Files& files, const std::string& serial,
                                     const std::string& domain);

/// The id of the order for a CSR and an identity (INT-13). `info`: crypto::info_digest() of the CSR,
/// hexadecimal; `renewed`: digest of the certificate to renew, empty for a first one.
std::string order_id(const std::string& info, const std::string& renewed, const std::string& label,
                     const Device& device);

/// "<serialNumber>@<issuer>", sanitized for logs.
std::string device_id(const std::string& serial, const crypto::Certificate& certificate);

/// "a.example, b.example", for people.
std::string describe(const std::vector<crypto::Identifier>& identifiers);

/// True if it identifies its holder as an RA (id-kp-cmcRA, RFC 7030 section 3.7).
bool is_registration_authority(const crypto::Certificate& certificate);

enrol::Refused refusal(enrol::Refusal why, std::string text);

} // namespace acmetool::ra
