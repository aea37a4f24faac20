#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/csr.h"

namespace acmetool::ra
{

/// One certificate to obtain. Small: the CSR is fetched when it is needed.
struct IssuerOrder {
    std::string id; ///< the pending table's key; the same order has the same id after a crash
    std::vector<crypto::Identifier> identifiers;
    std::string domain;     ///< the controlled domain that covers them
    std::string profile;    ///< ACME profile; empty: the CA's default
    std::string url;        ///< the order's URL where it is known from before a crash
    bool intended = false;  ///< a run before this one may have placed the order and lost its URL
    std::string request_id; ///< for logs
    /// Of a renewal: when the certificate ends that it renews, or, after a restart, when it was asked for.
    /// Those that end first have their turn first, after devices that have no certificate yet.
    std::optional<base::TimePoint> renews = {};
};

/// What an issuer tells of its orders, and whom it asks. Callable from any thread; never waits for a network.
class IssuerHost
{
public:
    virtual ~IssuerHost() = default;
    /// The PKCS#10 of an order, DER.
    virtual Result<Bytes> csr(const std::string& id) = 0;
    /// True if an order of this account belongs to another id already.
    virtual bool holds_order(const std::string& url) = 0;
    /// The CA has the order, whose URL is known now: `stored` is called once its URL is on disk. Nothing may
    /// be sent for this order in between (ACME-42), nor if `is_ours` is false: another process has taken it
    /// over.
    virtual void placed(const IssuerOrder& order, std::function<void(bool is_ours)> stored) = 0;
    /// True if this process is the one that may do `what` for the next `life`, among those on one store. May
    /// wait for the store.
    virtual bool lease(const std::string& what, std::chrono::seconds life) = 0;
    /// `ca` takes no new order for so long, as it said: the issuers of the other processes on the store are
    /// told, too (Issuer::hold()).
    virtual void held(const std::string& ca, std::chrono::seconds life) = 0;
    /// The end: the chain, end entity first, checked against the CSR.
    virtual void issued(const std::string& id, std::vector<crypto::Certificate> chain) = 0;
    /// The end for now: no certificate. `error.problem_type` drives the mapping (INT-18). `over`: nothing of
    /// the order is left at the CA, so that the next try begins anew; else it continues with the same order.
    virtual void failed(const std::string& id, Error error, bool over) = 0;
    /// Not yet, and the peer named a time.
    virtual void deferred(const std::string& id, std::chrono::seconds retry_after) = 0;
    virtual void event(base::Json event) = 0;
    /// True if a trace is kept: then each message to the CA and to DNS is told, with the order's request_id.
    virtual bool traces() const = 0;
    /// `message` as a client's, between "client" and the peer.
    virtual void message(base::Message message) = 0;
};

/// Obtains certificates: the built-in ACME client, an external program, a test double.
class Issuer
{
public:
    virtual ~Issuer() = default; ///< stops at once; unfinished orders are continued by the next run
    /// Before anything else; `host` outlives the issuer.
    virtual void attach(IssuerHost& host) = 0;
    /// Begins or continues an order; its intent is on disk. Does not wait.
    virtual void start(IssuerOrder order) = 0;
    /// `ca` takes no new order for so long, as it told a process on the store, `told`. Called again and
    /// again.
    virtual void hold(const std::string& ca, std::chrono::seconds life, const std::string& told)
    {
        static_cast<void>(ca), static_cast<void>(life), static_cast<void>(told);
    }
    /// How many orders it has that are not ended.
    virtual std::size_t waiting() const { return 0; }
    /// Members for the status document: those of Outcomes, "authorizations" ...
    virtual base::Json status() = 0;
};

} // namespace acmetool::ra
