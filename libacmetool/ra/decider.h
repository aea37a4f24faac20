#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ra/budget.h"
#include "ra/csr_policy.h"
#include "ra/issuer.h"
#include "ra/policy.h"
#include "ra/recognition.h"
#include "ra/records.h"

namespace acmetool::ra
{

/// A request, with everything that is known about it without the store.
struct Application {
    enrol::EnrolRequest request;
    std::shared_ptr<const Files> files;
    Claim claim;
    LabelRules rules;
    std::optional<enrol::Refused> csr_refusal;     ///< told once the identity holds
    std::optional<enrol::Refused> binding_refusal; ///< the same, for all but RAs
    ContentsVerdict contents;                      ///< the content of the CSR besides names
    bool same_subject = false; ///< of CSR and certificate presented, or of the CSR of that certificate
    std::string info_digest;   ///< hexadecimal, as the next two
    std::string csr_digest;
    std::string key_digest;
};

/// A failed order that is still the answer to its device's requests.
struct Remembered {
    base::TimePoint since;    ///< when the order failed
    base::TimePoint next_try; ///< from then on a request places a new order
};

/// The outcome of an application.
struct Verdict {
    enrol::Decision decision;
    Device device;                    ///< empty if the peer was not recognised
    std::string order_id;             ///< of the row that the decision comes from; may be empty
    std::string url;                  ///< of its order; may be empty
    std::optional<IssuerOrder> start; ///< an order to begin once this is on disk
    bool from_cache = false;
    std::optional<Remembered> remembered; ///< the decision is a refusal of before
};

/// The rules that need the store: who asks (Recognition), existing certificates and orders, and budget. Used
/// only inside the store's transactions; an error ends the transaction.
class Decider
{
public:
    /// `run` drives the orders that are placed here (OrderRow::owner).
    Decider(std::shared_ptr<const Options> options, Budget budget, std::string run = {})
        : options_(std::move(options)), budget_(std::move(budget)), run_(std::move(run))
    {
    }
    void set_run(std::string run) { run_ = std::move(run); }
    /// Replaces rules and limits; the spent budget is kept.
    void configure(std::shared_ptr<const Options> options) { options_ = std::move(options); }

    /// Sets the request's `renewal` if only the identity shows that it is one.
    Result<Verdict> decide(Records& records, Application& application, base::TimePoint now);
    Budget& budget() { return budget_; }

    /// How many orders the issuer has that are not ended.
    void set_waiting(std::size_t waiting) { waiting_ = waiting; }
    /// The time that a device is asked to wait, which grows with the age of the order, and up to that with
    /// the number of those that wait.
    std::chrono::seconds retry_after(const OrderRow& row, base::TimePoint now) const;

private:
    Result<std::optional<enrol::Refused>> judge(Recognition& recognition, Records& records,
                                                const Application& application, const Identity& identity);
    Result<std::optional<enrol::Refused>> judge_renewal(const Application& application,
                                                        const Identity& identity) const;
    Result<std::optional<crypto::Certificate>>
    still_good(Records& records, const std::optional<CertificateRow>& row, base::TimePoint now) const;
    Result<void> look_up(Records& records, const Application& application, const Identity& identity,
                         Verdict& verdict, base::TimePoint now);
    Result<void> place(Records& records, const Application& application, const Identity& identity,
                       const Earlier& earlier, Verdict& verdict, base::TimePoint now);

    Result<std::optional<std::chrono::seconds>> over_budget(Records& records, const Identity& identity,
                                                            const SpentCounts& of_device, bool renewal,
                                                            base::TimePoint now);

    std::shared_ptr<const Options> options_;
    Budget budget_;
    std::string run_;
    std::size_t waiting_ = 0;
    /// On a shared store: how many all had spent, a moment ago.
    struct Seen {
        SpentCounts counts;
        std::uint64_t since = 0; ///< spent here since then
        base::TimePoint at;
    };
    std::optional<Seen> seen_;
};

} // namespace acmetool::ra
