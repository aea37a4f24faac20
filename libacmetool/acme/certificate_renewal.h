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

/// Certificates kept alive by cron and systemd timers.
namespace acmetool::acme
{

/// A certificate to keep alive: the file it stands in, and the request that a new one answers.
struct CertificateWish {
    std::string file; ///< certificate and chain, PEM; need not exist yet
    OrderTask task;   ///< CSR, names, solver; its goal is the certificate
    /// Due this long before expiry, even where the CA names a later time; none: 1/3, where the CA names no
    /// time.
    std::optional<base::Margin> before;
    std::string deploy_hook; ///< program to run once a new one is in its place; empty: none
    base::Milliseconds hook_timeout{120'000};
};

/// What is known of a certificate without a request.
struct CertificatePlan {
    std::optional<crypto::Certificate> current; ///< what stands in the file
    bool due = true;
    bool ask = false; ///< the CA's renewal information is unknown or was to be asked for again by now
    bool deploy_pending = false; ///< a new certificate was put into its place, but the hook has not succeeded
    bool by_renewal_info = false;            ///< renew_at is the CA's wish, not `before` expiry
    std::optional<base::TimePoint> renew_at; ///< absent where there is nothing to renew yet
    std::shared_ptr<base::Json> entry;       ///< of the state directory; never null in a plan that was made

    bool nothing_to_do() const { return !due && !ask && !deploy_pending; }
};

/// What became of one certificate.
struct CertificateRenewal {
    std::string file;
    std::vector<crypto::Identifier> identifiers;
    bool changed = false;
    std::optional<base::TimePoint> not_after;
    std::optional<base::TimePoint> renew_at;
    bool by_renewal_info = false;
    std::optional<bool> deployed; ///< whether the hook succeeded; absent: it had nothing to do
    std::optional<base::TimePoint> last_success;
    std::optional<Error> error;
};

/// What the file and the state say of the certificate, and what follows from it. It is due, too, where its
/// names or its key are not those of the request. Errors: bad_input (the file is there and holds no
/// certificate: it is not overwritten), config (the state is damaged).
ACMETOOL_EXPORT Result<CertificatePlan> plan_renewal(const StateDirectory& state, const CertificateWish& wish,
                                                     base::TimePoint now);

/// What is known before anything is done: names, end and times of what stands in the file.
ACMETOOL_EXPORT CertificateRenewal as_planned(const CertificateWish& wish, const CertificatePlan& plan);

/// The same where there is no plan, by the file and the state: what failed before its request could be read
/// keeps the end of its old certificate.
ACMETOOL_EXPORT CertificateRenewal last_known(const StateDirectory& state, const std::string& file);

/// What a plan with nothing to do comes to.
ACMETOOL_EXPORT CertificateRenewal left_alone(const CertificateWish& wish, const CertificatePlan& plan,
                                              base::TimePoint now);

/// Asks for renewal information where it is time to, orders a new certificate if one is due (with `replaces`,
/// RFC 9773 section 5), replaces the file atomically and runs the deploy hook.
///
/// One run at a time works on a file; another waits, and finds the work done. The hook's turn is remembered
/// before the file is replaced: a run that was killed in between, or whose hook failed, leaves it to the next
/// one. The error is in the result: that of the order, or config ("deployHookFailed") with `changed` true.
/// Fails itself only where the program was interrupted.
ACMETOOL_EXPORT Result<CertificateRenewal> renew_certificate(Client& client, const CertificateWish& wish);

/// The `renewal` document's entry.
ACMETOOL_EXPORT base::Json to_json(const CertificateRenewal& renewal);

/// The text of node_exporter's file (acme_certificate_expires_timestamp_seconds,
/// acme_last_success_timestamp_seconds, acme_renewal_failed), a line for each file.
ACMETOOL_EXPORT std::string metrics_of(const std::vector<CertificateRenewal>& renewals);

/// When the certificate in `file` was last found or made good, as an older text of metrics_of() says.
ACMETOOL_EXPORT std::optional<base::TimePoint> last_success_in(std::string_view metrics,
                                                               const std::string& file);

} // namespace acmetool::acme
