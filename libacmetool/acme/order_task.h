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

/// Orders driven from the command line: OrderFlow on one connection, remembered in the state directory.
namespace acmetool::acme
{

/// One order to work on, new or known.
struct OrderTask {
    crypto::Csr csr;
    std::vector<crypto::Identifier> identifiers; ///< the CSR's
    std::vector<std::string> ancestor_domains;   ///< pre-authorized parents (RFC 9444 section 4.3)
    std::string profile;                         ///< empty: the CA's default
    std::string replaces; ///< certID of the certificate that is renewed (RFC 9773 section 5); empty: none
    std::optional<Order> order; ///< from the document of the step before
    Solver* solver = nullptr;   ///< not owned; null: pending orders end with authorization_needed
    OrderFlow::Goal goal = OrderFlow::Goal::downloaded;
    std::optional<base::TimePoint> not_before; ///< of the certificate; absent: the CA's choice
    std::optional<base::TimePoint> not_after;  ///< likewise
    std::string lifetime; ///< not_before and not_after in the operator's words, which tell intents apart
    ChainChoice chain;    ///< of those that the CA offers; the first where none is such
};

struct OrderOutcome {
    Order order;
    crypto::Csr csr;
    std::vector<crypto::Certificate> chain;          ///< end entity first; empty before the order is valid
    std::optional<std::chrono::seconds> retry_after; ///< set where the deadline came first: "not yet"
    bool not_yet = false;
    std::string entry_id; ///< of the state directory
};

/// Takes one order as far as `task.goal` says.
///
/// The intent is stored before newOrder, the URL before finalize, the certificate before it is handed on. An
/// intent that a killed run left is continued: with its certificate, its order, or - where the URL was lost -
/// with the unfinished order found in the account's `orders` list (RFC 8555 section 7.1.2.1). One run at a
/// time works on an intent; another waits.
///
/// Errors: authorization_needed (order pending, no solver), refused (order invalid: its error and the failed
/// challenges'), and those of Client::post.
ACMETOOL_EXPORT Result<OrderOutcome> carry_out(Client& client, OrderTask task);

/// The URLs in the account's `orders` list (RFC 8555 section 7.1.2.1), `most` at most or one page more; empty
/// where the server has no such list.
ACMETOOL_EXPORT Result<std::vector<std::string>> listed_orders(Client& client, std::size_t most);

/// The certificate was written out completely: the state forgets it.
ACMETOOL_EXPORT void delivered(Client& client, const OrderOutcome& outcome);

/// The `order` document: the order object, its URL and the CSR.
ACMETOOL_EXPORT base::Json order_document(const Order& order, const crypto::Csr& csr);
/// Reads an `order` document of another step; its URLs have to be the directory's. bad_input.
ACMETOOL_EXPORT Result<OrderTask> parse_order_document(std::string_view json, const Directory& directory);
/// The `certificate` document.
ACMETOOL_EXPORT base::Json certificate_document(const std::vector<crypto::Certificate>& chain);

} // namespace acmetool::acme
