#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "enrol/events.h"
#include "enrol/registration_authority.h"
#include "ra/issuer.h"
#include "ra/options.h"
#include "store/database.h"
#include "store/group_commit.h"

namespace acmetool::ra
{

/// The registration authority: who may have which certificate, and one order for each.
///
/// One thread owns the store: it takes all requests that are there, decides on them inside one transaction,
/// commits, and only then tells anybody or has anything sent. So what a device is told is on disk, and a
/// commit is shared by all who asked meanwhile. All calls may be made by any thread.
class ACMETOOL_EXPORT Engine final : public enrol::RegistrationAuthority
{
public:
    /// What may be replaced, in tests mostly.
    struct Parts {
        std::unique_ptr<Issuer> issuer;       ///< null: as the options say, ACME or a program
        enrol::EventSink* events = nullptr;   ///< not owned; null: nobody is told
        std::function<base::TimePoint()> now; ///< empty: the system's clock
        base::Context* context = nullptr;     ///< of open(): hears of a wait, and ends it; null: nothing does
        std::shared_ptr<const crypto::FetchedCrls> crls = nullptr; ///< those of URLs; null: none is known
    };

    /// Reads the files that the options name, opens the store and continues what an earlier run left.
    /// Errors: config (a file or key that cannot be used), io (the store).
    static Result<std::unique_ptr<Engine>> open(Options options, Parts parts);
    /// The same with the built-in issuer, `events` is not owned. Another process that holds the store is
    /// waited for, which `context` hears and can end (interrupted).
    static Result<std::unique_ptr<Engine>> open(Options options, enrol::EventSink* events,
                                                base::Context& context,
                                                std::shared_ptr<const crypto::FetchedCrls> crls = nullptr);
    ~Engine() override; ///< decisions that wait are given as "pending"; no order is lost

    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override;
    void csr_attributes(enrol::Peer peer, const std::string& label,
                        std::function<void(enrol::AttributesDecision)> done) override;
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override;

    /// True if /cacerts has what the CA's next certificate needs, as far as can be known: an intermediate, or
    /// a root that issued the last certificate.
    bool knows_issuer();
    /// The issued certificate that expires last.
    std::optional<crypto::Certificate> last_issued();
    /// Offers the intermediates between the first certificate of `chain`, one of the CA's, and a root.
    /// Errors: as crypto::verify_path(), if it leads to no root; io.
    Result<void> learn(const std::vector<crypto::Certificate>& chain);
    /// Orders a certificate for the name that [cacerts] order has, or continues an earlier order for it; its
    /// key is forgotten. `done` is called once.
    void order_own(std::function<void(const enrol::Decision&)> done);

    /// From now on the certificate with this serial (hexadecimal) counts as revoked: neither identity nor
    /// cache entry. Effective at once. It is not revoked at the CA.
    Result<void> revoke(const std::string& serial);
    /// Refuses a device from now on: its id as in the events, or its serial number alone.
    Result<void> block(const std::string& device);
    Result<void> unblock(const std::string& device);

    /// Other options, and all files that they name read anew; only the store stays where it is. Nothing
    /// changes yet: the function that comes back puts them in use, and cannot fail. Where they ask for
    /// another issuer (same_issuer()), it ends the old one, which takes as long as what that has under way
    /// can be interrupted, and the new one continues its orders. Errors: as open(); config, reason "fileCut",
    /// as check_replacement().
    Result<std::function<void()>> prepare(Options options);

    /// How many there are in the files and options in use.
    struct Counts {
        std::size_t devices = 0; ///< in the inventory
        std::size_t users = 0;
        std::size_t digest_users = 0;
        std::size_t labels = 0;
    };
    Counts counts() const;
    /// What an operator should know about the files in use, one sentence each (warnings_of()).
    std::vector<std::string> warnings() const;

    /// The writer of the store, for services whose tables are in the same database: one commit serves all. It
    /// stops when the engine is destroyed.
    std::shared_ptr<store::GroupCommit> commits() const;
    /// The name by which this run owns what it works on in a shared store (store::Member::run); else empty.
    /// It changes if the store was away for too long.
    std::string run() const;
    /// Another connection to the store, to read. Errors: io.
    Result<std::unique_ptr<store::Database>> connect() const;

    /// Counts by state, oldest pending order, the CA's last success and failure, authorizations by domain,
    /// /cacerts. Never waits for a network.
    base::Json status();
    /// True once the store works and /cacerts can be answered; what is wrong else.
    Result<void> ready();
    /// Counters since the start, by name: "decisions_issued", "orders_placed" ...
    std::map<std::string, std::uint64_t> counters() const;
    /// What a counter counts, as a sentence.
    static std::string_view help_of(std::string_view counter);
    /// The member "issuer" of status(): reads nothing.
    base::Json issuer_status();

private:
    struct Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::ra
