#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <unordered_map>

#include "ra/ca_set.h"
#include "ra/decider.h"
#include "ra/engine.h"
#include "ra/recent_csrs.h"
#include "store/file_lock.h"
#include "store/group_commit.h"
#include "store/members.h"
#include "store/notices.h"

/// What the engine's source files share: engine.cpp opens and changes it, engine_requests.cpp decides for
/// devices, engine_orders.cpp is what the issuer talks to, engine_cacerts.cpp finds out what devices get as
/// CA certificates, engine_sharing.cpp is for several engines on one store.
namespace acmetool::ra
{

struct Engine::Impl final : IssuerHost {
    struct Waiter {
        std::string order_id;
        base::Worker::Timer timer = 0; ///< end_wait()
        enrol::Decision pending;
        std::function<void(enrol::Decision)> answer;
    };
    using WaiterPtr = std::shared_ptr<Waiter>;

    Impl(Options chosen, Parts& parts, bool given, store::FileLock store_lock,
         std::unique_ptr<store::Database> to_read, Budget budget);
    ~Impl() override;

    // The issuer's side.
    Result<Bytes> csr(const std::string& id) override;
    bool holds_order(const std::string& url) override;
    void placed(const IssuerOrder& order, std::function<void(bool is_ours)> stored) override;
    bool lease(const std::string& what, std::chrono::seconds life) override;
    void held(const std::string& ca, std::chrono::seconds life) override;
    void issued(const std::string& id, std::vector<crypto::Certificate> chain) override;
    void failed(const std::string& id, Error error, bool over) override;
    void deferred(const std::string& id, std::chrono::seconds retry_after) override;
    void event(base::Json event) override;
    bool traces() const override { return events != nullptr && events->traces(); }
    void message(base::Message message) override;

    // The protocols' side.
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done);
    void attributes(enrol::Peer peer, const std::string& label,
                    std::function<void(enrol::AttributesDecision)> done);
    /// Finds out who asks: at once, or later where a password has to be compared, from the thread that does
    /// it.
    void examine_then(const enrol::Peer& peer, const std::shared_ptr<const Files>& known,
                      std::function<void(Claim)> next);
    /// What somebody wants to know of the CSR attributes.
    struct Question {
        std::shared_ptr<const Options> options;
        std::shared_ptr<const Files> files;
        LabelRules rules;
        std::string label;
        Claim claim;
        std::function<void(enrol::AttributesDecision)> done;
    };
    void tell_attributes(const std::shared_ptr<Question>& question);
    /// Nothing if the store cannot be read here, or has to be written.
    std::optional<enrol::AttributesDecision> read_attributes(const Question& question);
    void judge(const std::shared_ptr<Application>& application, std::function<void(enrol::Decision)> done);
    Result<OrderRow> own_order(Records& records, std::optional<OrderRow> old) const;
    void order_own(std::function<void(const enrol::Decision&)> done);
    Result<void> change(std::function<Result<void>(Records&)> what);
    /// How many devices the inventory in use has.
    Result<std::size_t> count_inventory(const Files& in_use);
    Result<void> check_inventory_in_store(const Files& fresh, const Options& options);
    base::Json status();

    // On the commits' worker.
    void after_verdict(std::shared_ptr<Application> application, Verdict verdict,
                       std::function<void(enrol::Decision)> done, store::GroupCommit::After& after);
    void start(IssuerOrder order, const char* counter, Bytes csr = {});
    void tell(const std::string& order_id, const enrol::Decision& decision);
    void end_wait(Waiter& waiter);
    void purge();
    void resume(const std::vector<OrderRow>& rows);

    // On a shared store (engine_sharing.cpp), on the commits' worker.
    Result<void> enter(store::Database& database);
    void share();
    void leave();
    void prolong();
    void prolong_once();
    void take_over(const std::string& former);
    void begin_run();
    void begin_run_anew();
    void warn_of_differences(const std::vector<store::Member>& before);
    void heard(const std::string& payload);
    void pass_on(const std::vector<Records::Hold>& holds);
    std::size_t relays_alive() const;
    void look_after_waiters(const std::vector<std::string>& order_ids);
    base::Json sharing() const;

    void decided(const enrol::EnrolRequest& request, const std::string& csr_digest, const Verdict& verdict,
                 const std::function<void(enrol::Decision)>& done, enrol::Decision decision);
    static Result<std::unique_ptr<Issuer>> make_issuer(const Options& options);
    static Result<Bytes> digest_of_issuer_files(const Options& options);
    std::shared_ptr<const Files> files() const;
    std::shared_ptr<const Options> settings() const;
    void replace(const std::shared_ptr<const Options>& fresh, std::shared_ptr<const Files> its_files,
                 CaFiles ca_files, std::unique_ptr<Issuer> next);
    void hand_over(std::unique_ptr<Issuer> next);
    base::TimePoint now() const { return clock ? clock() : base::now(); }
    void count(const char* name) { ++counters.at(name); }
    enrol::Refused store_refusal();
    enrol::Refused busy_refusal();

    enrol::EventSink* events;
    std::function<base::TimePoint()> clock;
    store::FileLock lock; ///< one engine for one file
    /// What is shared: the name of this run, by which it owns orders. Changes on the commits' worker.
    mutable std::mutex member_mutex;
    store::Member member;
    std::vector<store::Member> members; ///< as they were a moment ago
    std::map<std::string, std::atomic<std::uint64_t>> counters;

    mutable std::mutex settings_mutex;
    std::shared_ptr<const Options> current_options;
    std::shared_ptr<const Files> current_files;
    const std::shared_ptr<const crypto::FetchedCrls> crls;
    PasswordCheck passwords;
    TurnsOf turns_after_failure; ///< of the CA, that passes
    TurnsOf turns_after_hold;    ///< that the CA asked for
    Turns turns_at_store;
    Turns turns_at_queue;
    CaSet ca_set;

    std::mutex reader_mutex;
    std::unique_ptr<store::Database> reader;
    std::mutex counting_mutex;
    std::unique_ptr<store::Database> counting; ///< for status(), which reads long

    RecentCsrs recent_csrs;

    std::mutex deferred_mutex;
    std::unordered_map<std::string, base::TimePoint> deferred_until;

    // Only used on the commits' worker.
    Decider decider;
    std::unordered_multimap<std::string, WaiterPtr> waiters;

    std::mutex issuer_mutex;
    std::unique_ptr<Issuer> issuer; ///< null once the engine is about to go, and while another takes over
    bool ending = false;            ///< nothing takes over any more
    std::uint64_t hand_overs = 0;   ///< the last one counts
    const bool issuer_is_given;     ///< by a test, and stays
    Bytes issuer_files;             ///< digest of those that the issuer was made of; only used by a reload
    std::shared_ptr<store::GroupCommit> commits;
    std::unique_ptr<store::Notices> notices; ///< null if the store is not shared; uses `commits`
};

} // namespace acmetool::ra
