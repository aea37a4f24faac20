#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/order_task.h"
#include "acme/renewal_info.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

/// Renewal of certificates from cron and systemd timers.
namespace acmetool::acme
{

/// A certificate to renew: its file, and the request for a new one.
struct CertificateWish {
    std::string file; ///< certificate and chain, PEM; may be absent
    OrderTask task;   ///< CSR, names, solver; its goal is the certificate
    /// Due this long before expiry, even if the CA suggests a later time; none: 1/3 if the CA suggests no
    /// time.
    std::optional<base::Margin> before;
    std::string deploy_hook;           ///< program to run after a new one is written; empty: none
    std::vector<std::string> hook_env; ///< names of environment variables that it gets, too
    base::Milliseconds hook_timeout{120'000};
};

/// The state of a certificate, determined without sending requests.
struct CertificatePlan {
    std::optional<crypto::Certificate> current; ///< content of the file
    bool due = true;
    bool ask = false;             ///< the CA's renewal information is unknown or must be requested again
    bool deploy_pending = false;  ///< a new certificate was written, but the hook has not succeeded
    bool by_renewal_info = false; ///< renew_at comes from the CA, not from `before`
    std::optional<base::TimePoint> renew_at; ///< absent if there is no certificate yet
    std::shared_ptr<base::Json> entry;       ///< from the state directory; never null in a complete plan

    bool nothing_to_do() const { return !due && !ask && !deploy_pending; }
};

/// The result for one certificate.
struct CertificateRenewal {
    std::string file;
    std::vector<crypto::Identifier> identifiers;
    bool changed = false;
    std::optional<base::TimePoint> not_after;
    std::optional<base::TimePoint> renew_at;
    bool by_renewal_info = false;
    std::string path;             ///< OrderOutcome::path of the new one; empty without one
    std::optional<bool> deployed; ///< whether the hook succeeded; absent: it was not called
    std::optional<base::TimePoint> last_success;
    std::optional<Error> error;
};

/// Determines from the file and the state whether the certificate is due. It is also due if its names or key
/// differ from those of the request. Errors: bad_input (the file exists but contains no certificate: it is
/// not overwritten), config (the state is damaged).
ACMETOOL_EXPORT Result<CertificatePlan> plan_renewal(const StateDirectory& state, const CertificateWish& wish,
                                                     base::TimePoint now);

/// The result before anything is done: names, end and times of the certificate in the file.
ACMETOOL_EXPORT CertificateRenewal as_planned(const CertificateWish& wish, const CertificatePlan& plan);

/// The same without a plan, from the file and the state: the result of a failure before the request was read
/// still has the end of the current certificate.
ACMETOOL_EXPORT CertificateRenewal last_known(const StateDirectory& state, const std::string& file);

/// Keeps a failure that came before renew_certificate(), for those who look at the state later. A state that
/// cannot be written is no failure.
ACMETOOL_EXPORT void keep_failed_renewal(StateDirectory& state, const std::string& file, const Error& error,
                                         base::Context& context);

/// The same for a certificate with nothing to do: an earlier failure is over.
ACMETOOL_EXPORT void forget_failed_renewal(StateDirectory& state, const std::string& file,
                                           base::Context& context);

/// A certificate of which the state keeps something.
struct KeptCertificate {
    std::string file; ///< whole name; empty: the entry is damaged, or does not say
    std::string id;   ///< of the entry
};
ACMETOOL_EXPORT std::vector<KeptCertificate> kept_certificates(const StateDirectory& state);

/// The result of a plan with nothing to do.
ACMETOOL_EXPORT CertificateRenewal left_alone(const CertificateWish& wish, const CertificatePlan& plan,
                                              base::TimePoint now);

/// Requests renewal information if it is time to, orders a new certificate if one is due (with `replaces`,
/// RFC 9773 section 5), replaces the file atomically and runs the deploy hook.
///
/// Only one run at a time works on a file; another waits and then finds nothing to do. That the hook must run
/// is recorded before the file is replaced, so that the next run calls it if this run is killed or the hook
/// fails. The error is in the result: that of the order, or config ("deployHookFailed") with `changed` true.
/// The function itself fails only if the program is interrupted.
ACMETOOL_EXPORT Result<CertificateRenewal> renew_certificate(Client& client, const CertificateWish& wish);

/// The `renewal` document's entry.
ACMETOOL_EXPORT base::Json to_json(const CertificateRenewal& renewal);

/// The metrics for node_exporter (acme_certificate_expires_timestamp_seconds,
/// acme_last_success_timestamp_seconds, acme_renewal_failed), one line per file.
ACMETOOL_EXPORT std::string metrics_of(const std::vector<CertificateRenewal>& renewals);

/// When the certificate in `file` was last renewed or found not due, according to earlier output of
/// metrics_of().
ACMETOOL_EXPORT std::optional<base::TimePoint> last_success_in(std::string_view metrics,
                                                               const std::string& file);

} // namespace acmetool::acme
