#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/chain_choice.h"
#include "acme/client.h"
#include "acme/order.h"
#include "acme/solver.h"
#include "base/json.h"
#include "base/result.h"
#include "crypto/csr.h"

/// Orders for command-line programs: OrderFlow on one connection, recorded in the state directory.
namespace acmetool::acme
{

/// A new or existing order to work on.
struct OrderTask {
    crypto::Csr csr;
    std::vector<crypto::Identifier> identifiers; ///< the CSR's
    std::vector<std::string> ancestor_domains;   ///< pre-authorized parents (RFC 9444 section 4.3)
    std::string profile;                         ///< empty: the CA's default
    std::string replaces;       ///< certID of the certificate to replace (RFC 9773 section 5); empty: none
    std::optional<Order> order; ///< from the document of the previous step
    std::string path{};         ///< likewise, as in OrderOutcome
    Solver* solver = nullptr;   ///< not owned; null: a pending order fails with authorization_needed
    OrderFlow::Goal goal = OrderFlow::Goal::downloaded;
    std::optional<base::TimePoint> not_before; ///< of the certificate; absent: the CA's choice
    std::optional<base::TimePoint> not_after;  ///< likewise
    std::string
        lifetime;      ///< not_before and not_after as the operator wrote them; part of the intent's identity
    ChainChoice chain; ///< selects one of the CA's chains; the first if none matches
};

struct OrderOutcome {
    Order order;
    crypto::Csr csr;
    std::vector<crypto::Certificate> chain;          ///< end entity first; empty before the order is valid
    std::optional<std::chrono::seconds> retry_after; ///< set if the deadline came first: "not yet"
    bool not_yet = false;
    /// How the names were authorized: "preauthorized" (before the order, in whatever way), "order" (by
    /// challenges in it), "ancestor" (by a challenge in it for a parent domain, RFC 9444 section 4.3). Empty
    /// while the order is pending, or if another program or host authorized it.
    std::string path;
    std::string entry_id; ///< of the state directory
};

/// Advances one order to `task.goal`.
///
/// The intent is stored before newOrder, the URL before finalize, the certificate before it is returned. The
/// intent of a killed run is continued: with its certificate, with its order, or, if the URL was lost, with
/// the unfinished order in the account's `orders` list (RFC 8555 section 7.1.2.1). Only one run at a time
/// works on an intent; another waits.
///
/// Errors: authorization_needed (order pending, no solver), refused (order invalid: its error and the failed
/// challenges'), and those of Client::post.
ACMETOOL_EXPORT Result<OrderOutcome> carry_out(Client& client, OrderTask task);

/// The URLs in the account's `orders` list (RFC 8555 section 7.1.2.1), at most `most` plus one page; empty if
/// the server has no such list.
ACMETOOL_EXPORT Result<std::vector<std::string>> listed_orders(Client& client, std::size_t most);

/// Call this after the certificate was written: removes the order from the state, whichever step left it
/// there.
ACMETOOL_EXPORT void delivered(Client& client, const OrderOutcome& outcome);

/// An order in the state directory: a run began it, and its certificate is not written yet.
struct KeptOrder {
    std::string id; ///< of the entry
    std::vector<crypto::Identifier> identifiers;
    std::string url;                      ///< empty: a run ended before the CA answered
    std::optional<base::TimePoint> since; ///< newOrder
    bool has_certificate = false;         ///< which the next run writes
};
ACMETOOL_EXPORT std::vector<KeptOrder> kept_orders(const StateDirectory& state);

/// The `order` document: the order object, its URL, the CSR, and the path if it is known.
ACMETOOL_EXPORT base::Json order_document(const Order& order, const crypto::Csr& csr,
                                          const std::string& path);
/// Reads an `order` document of another step; its URLs must belong to the directory. Errc::bad_input.
ACMETOOL_EXPORT Result<OrderTask> parse_order_document(std::string_view json, const Directory& directory);
/// The `certificate` document.
ACMETOOL_EXPORT base::Json certificate_document(const std::vector<crypto::Certificate>& chain);

} // namespace acmetool::acme
