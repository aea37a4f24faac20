#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "acme/problem.h"
#include "acme/session.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/csr.h"

namespace acmetool::acme
{

/// An order object (RFC 8555 section 7.1.3).
struct Order {
    std::string url;
    std::string status; ///< pending, ready, processing, valid, invalid, or an unknown word
    std::vector<crypto::Identifier> identifiers; ///< sorted
    std::vector<std::string> authorizations;
    std::string finalize;
    std::string certificate; ///< empty until valid
    std::optional<base::TimePoint> expires;
    std::optional<Problem> error;
    std::string raw_error; ///< the same as JSON text
    std::string raw;       ///< the whole object as JSON text
};

/// Parses an order object; unknown members are skipped. Errc::protocol if a member that its status requires
/// is missing.
ACMETOOL_EXPORT Result<Order> parse_order(std::string_view json, std::string_view url);

/// The wanted content of an order.
struct OrderRequest {
    std::vector<crypto::Identifier> identifiers; ///< sorted
    std::vector<std::string>
        ancestor_domains;   ///< pre-authorized parents; sent with the names below them (RFC 9444 4.3)
    std::string profile;    ///< empty: none requested
    Bytes csr;              ///< DER; required for finalize and later
    crypto::Key key;        ///< the CSR's public key; required for finalize and later
    std::string replaces{}; ///< certID of the predecessor (RFC 9773 section 5); empty: none
    std::optional<base::TimePoint>
        not_before{}; ///< requested from the CA (RFC 8555 section 7.4); absent: its choice
    std::optional<base::TimePoint> not_after{}; ///< likewise
};

/// What is known of an order beside its URL and its last status.
struct OrderPast {
    bool just_created = false; ///< or perhaps so: replicas of the CA may not have it yet
    bool finalized = false;    ///< not long ago: the CA may have taken the CSR
};

/// True if the CA's answer to a request for the account shows a valid account, and so that it takes what the
/// account's key signs.
ACMETOOL_EXPORT bool account_is_valid(const Result<Reply>& answer);

/// One order from newOrder to the certificate, without I/O: next() returns the next request, take() processes
/// its reply.
///
///     while (true) { auto action = flow.next(); ... flow.take(reply); }
///
/// The caller stores order().url as soon as it is known and passes it to resume() after a crash. The order is
/// then read first, so that finalize is never blindly repeated. The state machine is RFC 8555 section 7.1.6;
/// every step accepts every status.
class ACMETOOL_EXPORT OrderFlow
{
public:
    /// The last step to do.
    enum class Goal { placed, authorized, finalized, downloaded };

    OrderFlow(OrderRequest request, Goal goal);

    /// Continues an existing order.
    void resume(std::string order_url, OrderPast past = {});
    /// Continues an order with its last known status, without reading it again.
    void resume(Order order, OrderPast past = {});

    struct Send {
        Post post;
    };
    struct Pause {
        base::Milliseconds duration;
        bool asked_for; ///< the server specified the time (Retry-After)
    };
    /// The order is pending: call authorized() once these authorizations are valid.
    struct Authorize {
        std::vector<std::string> authorizations;
    };
    struct Finished {
    };
    using Action = std::variant<Send, Pause, Authorize, Finished>;

    /// Errors: for an invalid order, refused or the mapping of its problem; protocol (the order changed).
    Result<Action> next(const Directory& directory);
    /// Processes the outcome of the last Send. Errors end the flow.
    Result<void> take(const Result<Reply>& outcome, base::TimePoint now);
    /// Call this when all authorizations of the order are valid: the order is read again.
    void authorized();

    /// What an error that ended the flow says about the order.
    enum class Fate {
        stays,    ///< nothing: the order may be finished later
        lost,     ///< it cannot be finished: only a new one is of use
        doubtful, ///< lost, if the CA still takes this account's requests: see account_is_valid()
    };
    Fate fate(const Error& error) const;

    const Order& order() const { return order_; }
    OrderPast past() const { return {created_here_, finalized_}; }
    /// The certificate, end entity first, checked against the request; empty before the end.
    const std::vector<crypto::Certificate>& chain() const { return chain_; }
    const std::string& chain_text() const { return chain_text_; }
    const OrderRequest& request() const { return request_; }

private:
    enum class Sent { nothing, new_order, read, finalize, certificate };

    Result<void> take_order(const Reply& reply);
    Result<void> take_missing(const Reply& reply, base::TimePoint now);
    Result<void> take_chain(const Reply& reply, base::TimePoint now);
    void poll_after(const Reply& reply);
    Send send(Sent what, Step step, std::string url, std::string payload);
    std::string new_order_payload() const;
    std::string subject() const;

    OrderRequest request_;
    Goal goal_;
    Order order_;
    bool must_read_ = false; ///< the order's state is unknown: read it first
    bool created_here_ = false;
    bool finalized_ = false; ///< finalize was sent, and the CA did not say since that it has not taken it
    bool expired_ = false;   ///< the certificate
    bool missing_ = false;   ///< the last read was answered by 404 or 410
    bool authorized_ = false;
    bool replaces_refused_ = false; ///< repeat newOrder without `replaces`
    int polls_ = 0;
    int finalize_failures_ = 0;
    std::optional<Pause> pause_;
    Sent sent_ = Sent::nothing;
    Sent failed_ = Sent::nothing; ///< what the last take() failed at
    std::vector<crypto::Certificate> chain_;
    std::string chain_text_;
};

/// Checks that a certificate has the key and names of the order and is not expired. Errc::protocol; reasons:
/// certificateKey, certificateNames, certificateExpired, chainOrder.
ACMETOOL_EXPORT Result<void> check_chain(const std::vector<crypto::Certificate>& chain,
                                         const OrderRequest& request, base::TimePoint now);

} // namespace acmetool::acme
