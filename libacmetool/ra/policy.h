#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/anchor_store.h"
#include "enrol/identity.h"
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
    enrol::Manufacturers manufacturers;
    std::shared_ptr<const crypto::CrlSet> manufacturer_crls; ///< null: revocation is not checked
    std::shared_ptr<const crypto::CrlSet> issued_crls;       ///< likewise
    crypto::AnchorStore private_cas;                         ///< of IssuedOptions::trust
    Inventory inventory;                                     ///< empty if it is in the store
    bool inventory_in_store = false; ///< IdevidOptions::inventory_in_store of when they were read
    Users users;
    DigestUsers digest_users;
    bool inventory_is_cut = false;     ///< its last line has no newline
    bool users_are_cut = false;        ///< likewise
    bool digest_users_are_cut = false; ///< likewise

    /// `fetched`: CRLs of URLs, may be null. Errors: config, naming the file.
    static Result<Files> read(const Options& options, std::shared_ptr<const crypto::FetchedCrls> fetched);
};

/// Reads the anchors of the manufacturers. Errors: config, naming the file.
Result<enrol::Manufacturers> read_manufacturers(const IdevidOptions& options);

/// Whether a reload may put `fresh` in the place of `old` (SEC-33): not a list that became empty, unless
/// `options` allow that, nor one without a newline at its end that lacks entries or has others; such a file
/// may be cut. Errors: config, reason "fileCut".
Result<void> check_replacement(const Files& old, const Files& fresh, const Options& options);

/// What an operator should know about files that are accepted: a list without entries, or without a newline
/// at its end. One sentence each.
std::vector<std::string> warnings_of(const Files& files, const Options& options);

/// A certificate of a CA that IssuedOptions::trust names, which the store need not have.
struct PrivateClaim {
    std::vector<std::string> names;        ///< DNS names in it
    std::optional<enrol::Refused> refusal; ///< its path is not valid, or it is revoked
};

/// The peer's credentials, checked without the store.
struct Claim {
    std::optional<Device> idevid; ///< a valid manufacturer's certificate
    std::optional<crypto::Certificate>
        certificate;                ///< the end entity; the store determines whether we issued it
    std::string certificate_digest; ///< hexadecimal; empty without certificate
    std::optional<PrivateClaim> private_ca;
    std::string user; ///< name and password are correct
    std::vector<std::string> user_names;
    std::string why_not;                                  ///< why the certificate is no IDevID: a sentence
    enrol::Ground ground = enrol::Ground::unknown_issuer; ///< the same
    bool undetermined = false;                            ///< that is because no current CRL is known
    /// Why the certificate, if it was issued here, is no identity according to its CA's CRL.
    std::optional<enrol::Refused> revocation;
    std::optional<enrol::Refused> refused; ///< nothing else must be checked

    /// "certificate subject", "user:name" or "nobody", for events.
    std::string shown() const;
};
/// Checks the certificates on the caller's thread; `password` is the result of PasswordCheck for the peer's
/// user, if given.
Claim examine(const enrol::Peer& peer, const Files& files, std::optional<PasswordCheck::Verdict> password,
              base::TimePoint now);

/// Whether the CA that issued `certificate` revoked it; `cas` are the CA's certificates, `grace` is that of
/// IssuedOptions. Nothing if it did not.
std::optional<enrol::Refused> judge_revocation(const crypto::Certificate& certificate,
                                               const std::vector<crypto::Certificate>& cas,
                                               const std::shared_ptr<const crypto::CrlSet>& crls,
                                               base::TimePoint now, std::chrono::seconds grace);
/// Why a certificate issued here is no identity at `now` because of its dates. Nothing if it is one.
std::optional<enrol::Refused> judge_dates(const crypto::Certificate& certificate,
                                          const IssuedOptions& options, base::TimePoint now);
/// Whether the names of a certificate that another relay obtained can be those of a device of this one.
std::optional<enrol::Refused> judge_private_names(const PrivateClaim& claim,
                                                  const std::vector<DomainOptions>& domains);
/// Whether a certificate issued here may identify a device: its keyUsage, and its extended key usage if
/// `options` demand it. Nothing if it may.
std::optional<enrol::Refused> judge_usage(const crypto::Certificate& certificate,
                                          const IssuedOptions& options);

/// The peer's identity, determined with the store.
struct Identity {
    enum class Kind { idevid, issued, user };
    Kind kind = Kind::idevid;
    Device device;
    std::vector<std::string> names;                 ///< user: allowed; issued: those of the certificate
    std::optional<crypto::Certificate> certificate; ///< the one presented
    std::string certificate_digest;
    bool expired = false;        ///< issued: within IssuedOptions::grace, only for the renewal
    bool is_key_revoked = false; ///< a certificate for the key of the request was
    Listed listed;               ///< what the inventory has of the device's serial number
    std::size_t inventory = 0;   ///< how many devices the inventory has
    Bytes subject; ///< issued: what its CSR requested, a Name in DER; empty: the certificate has it
};

/// The values of those of type "dns".
std::vector<std::string> dns_names(const std::vector<crypto::Identifier>& identifiers);

/// True if a request that may be a renewal is one: `identity` is a certificate issued here, and the CSR
/// requests its names again, and its subject: `same_subject`.
bool is_renewal(const enrol::EnrolRequest& request, const Identity& identity, bool same_subject);

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

/// Whether the inventory, which has `listed` of its serial number, lets the device enrol; nothing if it does.
std::optional<enrol::Refused> judge_device(const Device& device, const std::string& label,
                                           const Options& options, const Listed& listed);

/// The names for san = "table": those of the inventory, single labels below `domain`.
std::vector<std::string> table_names(const Listed& listed, const Device& device, const std::string& domain);

/// The id of the order for a CSR and an identity (INT-13). `info`: crypto::info_digest() of the CSR,
/// hexadecimal; `renewed`: digest of the certificate to renew, empty for a first one; `device`: its
/// identifier.
std::string order_id(const std::string& info, const std::string& renewed, const std::string& label,
                     const std::string& device);

/// The device with this identity, and what it was called before.
Device device_of(const enrol::Identity& identity, const enrol::Manufacturers& manufacturers);
/// The device of a stored row: its anchor and manufacturer come from its identifier. One of an earlier
/// version gets the identifier of today if only one anchor can be meant.
Device device_of_row(Device row, const enrol::Manufacturers& manufacturers);

/// "a.example, b.example", for people.
std::string describe(const std::vector<crypto::Identifier>& identifiers);

/// True if it identifies its holder as an RA (id-kp-cmcRA, RFC 7030 section 3.7).
bool is_registration_authority(const crypto::Certificate& certificate);

enrol::Refused refusal(enrol::Ground ground, std::string text);
/// The refusal of a peer whose certificate cannot be checked because there is no current CRL.
enrol::Refused undetermined(std::string text);

} // namespace acmetool::ra
