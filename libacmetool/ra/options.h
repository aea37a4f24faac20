#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/solver_options.h"
#include "base/time.h"

/// The configuration of a registration authority from relay.toml, before its files are read.
namespace acmetool::ra
{

/// Manufacturers whose devices have their serial number in another field than serialNumber.
struct SerialRule {
    std::vector<std::string> trust;  ///< PEM files of their CAs
    std::vector<std::string> fields; ///< see enrol::SerialFields
};

/// Devices with a manufacturer's certificate (IDevID).
struct IdevidOptions {
    std::vector<std::string> trust; ///< PEM files of manufacturer CAs
    std::string inventory;          ///< CSV file: serial[,label][,name...]; empty: none
    bool accept_any = false; ///< any device of these manufacturers; else the inventory decides (SEC-01)
    std::vector<SerialRule> serial_rules;
};

/// Devices with a certificate that this RA issued (LDevID).
struct IssuedOptions {
    bool ra_issued = true;
    std::string eku = "any"; ///< "any" or "clientAuth": extended key usage demanded of it
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
};

struct LimitOptions {
    unsigned orders_per_device = 10; ///< new orders of one device in `budget_window`
    unsigned orders_in_total = 1000; ///< of all devices in `budget_window`
    unsigned renewal_reserve = 200;  ///< of orders_in_total, kept for renewals
    std::chrono::seconds budget_window{std::chrono::hours{24}};
    unsigned requests_in_flight = 32; ///< to the ACME server at once
};

enum class Pop { off, optional, required };

struct Options {
    IdevidOptions idevid;
    IssuedOptions issued;
    std::string users_file;   ///< user:crypt(3) hash:allowed names, separated by commas; empty: no Basic
    std::string account_file; ///< ACME account; or issuer_program
    std::string account_passphrase_file;     ///< decrypts the account's key if necessary
    std::vector<std::string> issuer_program; ///< argv of a program that reads a CSR and prints JSON
    std::vector<DomainOptions> domains;      ///< at least one
    acme::SolverOptions solver;              ///< how challenges are solved; may be empty
    std::string root_file;                   ///< trust anchor for /cacerts
    std::string store_file = "relay.db";
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

} // namespace acmetool::ra
