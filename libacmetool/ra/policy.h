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

/// The operator's files as they were read last. Never changed: a reload makes new ones.
struct Files {
    crypto::AnchorStore manufacturers;
    std::vector<std::pair<crypto::AnchorStore, enrol::SerialFields>> serial_rules;
    Inventory inventory;
    Users users;

    /// Errors: config, naming the file.
    static Result<Files> read(const Options& options);
};

/// What a peer showed, judged without the store.
struct Claim {
    std::optional<Device> idevid;                   ///< a manufacturer's certificate that holds
    std::optional<crypto::Certificate> certificate; ///< the end entity; is it one of ours? the store knows
    std::string certificate_digest;                 ///< hexadecimal; empty without certificate
    std::string user;                               ///< name and password were right
    std::vector<std::string> user_names;
    std::string why_not;                   ///< why the certificate is no manufacturer's
    std::optional<enrol::Refused> refused; ///< nothing else has to be looked at

    /// "certificate subject", "user:name" or "nobody", for events.
    std::string shown() const;
};
/// Judges the certificates, on the caller's thread; `password` is what PasswordCheck said of the peer's user,
/// if it gave one.
Claim examine(const enrol::Peer& peer, const Files& files, std::optional<PasswordCheck::Verdict> password,
              base::TimePoint now);

/// Who it is, after the store was asked.
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

/// The rules that one label has.
struct LabelRules {
    LabelOptions options;
    DomainOptions domain;
};
/// Nothing where there is no such label. The label "" always exists.
std::optional<LabelRules> rules_of(const Options& options, const std::string& label);

/// What has to hold for every CSR, whoever asks (INT-01, INT-03); nothing where it holds.
std::optional<enrol::Refused> judge_csr(const enrol::EnrolRequest& request, const Options& options,
                                        const LabelRules& rules);

/// What has to hold for the channel binding in the CSR (ESTS-07, ESTS-08); nothing where it holds.
std::optional<enrol::Refused> judge_binding(const enrol::EnrolRequest& request, const Options& options);

/// True if the store need not be asked whether the device of this serial number is known.
bool is_known(const Device& device, const std::string& label, const Options& options, const Files& files);

/// The names for san = "table": those of the inventory, single labels below `domain`.
std::vector<std::string> table_names(const Files& files, const std::string& serial,
                                     const std::string& domain);

/// The id of the one order for a CSR and an identity (INT-13). `info`: crypto::info_digest() of the CSR,
/// hexadecimal; `renewed`: digest of the certificate that is to be renewed, empty for a first one.
std::string order_id(const std::string& info, const std::string& renewed, const std::string& label,
                     const Device& device);

/// "<serialNumber>@<issuer>", in a form fit for logs.
std::string device_id(const std::string& serial, const crypto::Certificate& certificate);

/// "a.example, b.example", for people.
std::string describe(const std::vector<crypto::Identifier>& identifiers);

/// True if it says that its holder is an RA (id-kp-cmcRA, RFC 7030 section 3.7).
bool is_registration_authority(const crypto::Certificate& certificate);

enrol::Refused refusal(enrol::Refusal why, std::string text);

} // namespace acmetool::ra
