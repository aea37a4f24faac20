#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/worker.h"
#include "crypto/cert.h"
#include "enrol/events.h"
#include "registrar/decision.h"
#include "registrar/records.h"
#include "registrar/settings.h"
#include "store/group_commit.h"

namespace acmetool::registrar
{

/// The voucher-requests that a MASA is asked about, that a pledge waits for, or whose last change is not on
/// disk. All others are only in the store.
///
/// All calls belong to the worker's thread, and so do the answers. An answer is given after what it says is
/// on disk. A MASA is asked after the nonce is on disk: by it the registrar knows its own vouchers in audit
/// logs. The request itself is written when there is something to say of it: until then the pledge waits, and
/// asks again if this process ends.
class OpenRequests
{
public:
    using Answer = std::function<void(Decision)>;
    struct Asker {
        std::string request_id; ///< for logs and traces
        std::chrono::milliseconds wait;
        Answer answer;
    };
    struct Parts { ///< not owned
        base::Worker& worker;
        store::GroupCommit& commits;
        Reader& reader;
        enrol::EventSink& events;
        std::function<base::TimePoint()> now;
        /// The run of this process, which owns what it asks about; empty if the store is its alone.
        std::function<std::string()> run = [] { return std::string{}; };
    };
    explicit OpenRequests(Parts parts) : parts_(std::move(parts)) {}

    /// Goes on with other settings. Requests of manufacturers that are gone are dropped; `resumed` are the
    /// open ones of those that are new.
    void use(std::shared_ptr<const Settings> settings, std::vector<Record> resumed);
    /// Waits for the request with this digest if it is the device's last one, wherever it stands. `registrar`
    /// is the chain that pledges see. Else `answer` is not called, and the digest of the request that is on
    /// disk is returned, empty without one: begin() the new one.
    std::optional<std::string> join(const std::string& id, const std::string& digest,
                                    const std::string& manufacturer,
                                    const std::vector<crypto::Certificate>& registrar, const Asker& asker);
    /// The device's request from now on; `earlier` is what join() returned. Those who wait for an earlier one
    /// are answered "replaced".
    void begin(Record record, std::string earlier, std::vector<crypto::Certificate> registrar,
               const Asker& asker);
    /// Answers everybody "later" and forgets all requests.
    void end();

private:
    struct Waiter {
        std::uint64_t number;
        base::Worker::Timer timer; ///< late()
        Answer answer;
    };
    struct Owed {
        Answer answer;
        Decision decision;
    };
    struct Open {
        Record record;
        std::vector<crypto::Certificate> registrar; ///< what the voucher has to pin
        std::string request_id;                     ///< of the pledge's first; empty: asked before a restart
        std::string pinned_domain;                  ///< domainID that the voucher pins; empty: not read yet
        base::TimePoint heard{};                    ///< when the MASA last answered, or was first asked
        std::vector<Waiter> waiters;                ///< until the request is decided
        std::vector<Owed> owed;                     ///< to be given once `record` is on disk
        std::string on_disk;                        ///< digest of the device's request there; empty: none
        bool asked = false;                         ///< the MASA has a question about it
        bool noting = false;                        ///< its nonce is being written
        bool noted = false;                         ///< its nonce is on disk
        bool changed = false;                       ///< `record` is to be written
        bool writing = false;                       ///< an earlier state of it is being written
        base::Worker::Timer again = 0;              ///< after the store failed

        bool is_on_disk() const { return on_disk == record.request_digest; }
    };

    /// Called when a change of the request with this digest is on disk, or could not be written.
    using Written = void (OpenRequests::*)(Open&, const std::string& digest, const std::optional<Error>&);

    void advance(const std::string& id);
    void wait(Open& open, const Asker& asker);
    void late(const std::string& id, std::uint64_t number);
    void settle(Open& open);
    void note(Open& open);
    void noted(Open& open, const std::string& digest, const std::optional<Error>& error);
    void write(Open& open);
    void wrote(Open& open, const std::string& digest, const std::optional<Error>& error);
    void post(const Open& open, std::function<Result<bool>(Records&)> run, Written written);
    void replaced(const std::string& id, const std::string& digest);
    void ask(Open& open);
    void heard(const std::string& id, const std::string& digest, MasaQuestion::What what, MasaAnswer answer);
    void took_voucher(Open& open, const MasaDocument& document);
    bool took_log(Open& open, const MasaDocument& document);
    void delayed(Open& open, const MasaDelay& delay);
    void refuse(Open& open, Cause cause, const std::string& reason);
    void drop(Open& open);
    void store_failed(Open& open, const Error& error);
    void tell(const Open& open, const std::string& what);

    Parts parts_;
    std::shared_ptr<const Settings> settings_;
    std::map<std::string, Open> open_; ///< by Device::id
    std::uint64_t last_waiter_ = 0;
};

/// What is answered while the store does not work.
Refused store_refusal();

} // namespace acmetool::registrar
