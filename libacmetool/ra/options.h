#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/solver_options.h"
#include "base/time.h"
#include "crypto/crl.h"
#include "store/options.h"

/// The configuration of a registration authority from relay.toml, before its files are read.
namespace acmetool::ra
{

/// A manufacturer with a name, or with serial numbers in another field than serialNumber.
struct ManufacturerCas {
    std::string name;                     ///< empty: none
    std::vector<std::string> trust;       ///< PEM files of its CAs
    std::vector<std::string> serial_from; ///< see enrol::SerialFields
    bool trusted = false;                 ///< false: `trust` of IdevidOptions decides
    std::chrono::seconds grace{0};        ///< its devices' certificates may have expired so long ago
};

/// Devices with a manufacturer's certificate (IDevID).
struct IdevidOptions {
    std::vector<std::string> trust;  ///< PEM files of manufacturer CAs
    std::string inventory;           ///< CSV file: serial[@manufacturer][,label][,name...]; empty: none
    bool inventory_in_store = false; ///< instead of a file: InventoryRecords
    bool accept_any = false;  ///< any device of these manufacturers; else the inventory decides (SEC-01)
    bool allow_empty = false; ///< a reload may replace an inventory with one that lists no device (SEC-33)
    std::vector<ManufacturerCas> manufacturers;
    crypto::CrlOptions crl; ///< of the manufacturers
};

/// Devices with a certificate that this RA issued (LDevID), or another one with the same private CA.
struct IssuedOptions {
    bool ra_issued = true;
    /// PEM files of private CAs: a certificate below them is accepted although the store does not have it.
    /// Requires `crl`.
    std::vector<std::string> trust;
    /// "clientAuth": as for IDevIDs (crypto::Purpose::identity). "any": the extended key usage is ignored,
    /// because public CAs no longer issue certificates with clientAuth; a keyUsage is not.
    std::string eku = "any";
    std::chrono::seconds grace{0}; ///< a certificate that expired so long ago authenticates its renewal
    /// Of the issuing CA. By default a stale one is accepted without `trust`: otherwise a CA that stops to
    /// publish would end all renewals, and what was revoked here is in the store.
    crypto::CrlOptions crl{{}, crypto::StaleCrl::accept};
};

struct DomainOptions {
    std::string name;
    bool preauthorize = true;  ///< by newAuthz with subdomains; else each order is authorized
    std::string authz_file;    ///< initial `authorization` document of acme-preauth; may be empty
    base::Margin renew_before; ///< of the authorization
};

struct LabelOptions {
    std::string domain;                ///< one of the domains; empty: the first
    std::string profile;               ///< ACME profile; empty: the CA's default
    std::string san = "idevid-serial"; ///< "idevid-serial", "table", "random"
    std::string key_type;           ///< requested in csrattrs and required; empty: any that is strong enough
    std::vector<std::string> allow; ///< see judge_contents
    bool cn_is_name = true;         ///< of a request without SAN
};

struct LimitOptions {
    unsigned orders_per_device = 10; ///< new orders of one device in `budget_window`
    /// Of all devices in `budget_window`; 0: as many as the inventory has devices, 1000 at least.
    unsigned orders_in_total = 0;
    unsigned renewal_reserve = 200; ///< of orders_in_total, kept for renewals
    std::chrono::seconds budget_window{std::chrono::hours{24}};
    unsigned requests_in_flight = 32; ///< to the ACME server at once
};

/// What devices get as CA certificates (RFC 7030 section 4.1.3). All files are PEM.
struct CaCertsOptions {
    std::vector<std::string> roots;   ///< self-signed: of the CA behind the ACME server
    std::vector<std::string> anchors; ///< self-signed: of other CAs, such as that of the TLS certificate
    std::vector<std::string> intermediates; ///< of the CA, beside those that its chains bring
    std::vector<std::string>
        key_updates;   ///< one root or anchor certified by another (OldWithNew, NewWithOld)
    bool aia = true;   ///< fetch a missing intermediate by authorityInfoAccess
    std::string order; ///< name for an order of the RA's own if no intermediate is known; empty: none
};

/// The limits for an inventory of so many devices: orders_in_total is not 0.
LimitOptions in_force(LimitOptions limits, std::size_t devices);

enum class Pop { off, optional, required };

struct Options {
    IdevidOptions idevid;
    IssuedOptions issued;
    std::string users_file;        ///< user:crypt(3) hash:allowed names, separated by commas; empty: no Basic
    bool allow_no_users = false;   ///< a reload may replace users with none (SEC-33)
    std::string digest_users_file; ///< user:realm:H(A1):allowed names; empty: no Digest
    std::string digest_realm = "est";        ///< of all users in it
    bool allow_no_digest_users = false;      ///< as allow_no_users
    std::string account_file;                ///< ACME account; or issuer_program
    std::string account_passphrase_file;     ///< decrypts the account's key if necessary
    std::vector<std::string> issuer_program; ///< argv of a program that reads a CSR and prints JSON
    std::vector<std::string> issuer_env;     ///< names of environment variables that it gets
    std::vector<DomainOptions> domains;      ///< at least one
    acme::SolverOptions solver;              ///< how challenges are solved; may be empty
    CaCertsOptions cacerts;
    store::Options store;
    std::chrono::seconds keep_events{std::chrono::hours{24 * 90}}; ///< in the store; zero: none
    std::map<std::string, LabelOptions> labels; ///< by name; "" is what applies without a label
    std::chrono::milliseconds wait{2000};       ///< how long a request may wait before "pending"
    std::chrono::seconds retry_after{5};        ///< sent with "pending"
    std::chrono::seconds remember_failure{300}; ///< time before a failed order is tried again
    base::Margin reissue_margin; ///< a stored certificate this close to its expiry is not returned
    Pop pop = Pop::optional;
    LimitOptions limits;
};

/// True if both select the same issuer: account with passphrase file or program, domains, solver, requests in
/// flight.
bool same_issuer(const Options& a, const Options& b);

/// SHA-256, hexadecimal, of what must be the same in all registration authorities on one store: domains,
/// labels, limits, and what is required of a request.
std::string settings_digest(const Options& options);

} // namespace acmetool::ra
