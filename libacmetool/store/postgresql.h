#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"
#include "store/options.h"
#include "store/pq_connection.h"

namespace acmetool::store
{

/// A database of a PostgreSQL server, which several processes use. Transactions are READ COMMITTED.
///
/// A connection that breaks is made anew by the next begin() or execute() outside of a transaction: at once
/// the first time, then after 0.1, 0.2 ... 5 seconds (and a fifth more or less), and until then each call
/// fails at once (cause store_away). A writer's commit during which it broke is looked up on the new
/// connection by a number that the transaction wrote: either it is done, or it is not, or (cause
/// commit_unknown) the server did not come back within five seconds.
class ACMETOOL_EXPORT Postgresql final : public Database
{
public:
    enum class Role {
        plain,
        writer, ///< the only one with Options::instance: see `lock`
    };
    /// Connects. Errors: io, config; as a writer also unavailable, reason "instanceInUse".
    static Result<std::unique_ptr<Postgresql>> open(const Options& options, Role role = Role::plain);
    ~Postgresql() override;

    Result<std::vector<Row>> execute(std::string_view sql,
                                     const std::vector<Value>& parameters = {}) override;
    Result<void> write(std::string_view sql, const std::vector<Value>& parameters = {}) override;
    Result<void> begin() override;
    Result<void> commit() override;
    void rollback() noexcept override;
    Result<unsigned> version() override;
    Result<void> create(const std::vector<std::string_view>& statements, unsigned version,
                        unsigned former = 0) override;
    Result<void> probe() override;
    Result<void> check_place() const override { return {}; }
    std::uint64_t changes() const noexcept override { return changes_; }
    Result<std::unique_ptr<Database>> reopen() const override;
    std::string id() const override { return id_; }
    bool is_shared() const override { return true; }
    std::string_view seconds() const override;
    std::string_view skip_locked() const override { return " FOR UPDATE SKIP LOCKED"; }
    std::string_view for_update() const override { return " FOR UPDATE"; }
    Result<void> lock(std::string_view what) override;
    Result<void> notify(std::string_view payload) override;

    /// How often it waited for the server.
    std::uint64_t round_trips() const;

private:
    using Clock = std::chrono::steady_clock;

    Postgresql(Options options, Role role) : options_(std::move(options)), role_(role) {}
    Result<void> connect();
    Result<void> connected();
    Result<std::vector<Row>> run();
    Result<void> look_up_commit(std::int64_t number, const Error& lost);

    const Options options_;
    const Role role_;
    std::string id_;
    std::unique_ptr<PqConnection> connection_; ///< null: to be made anew
    Clock::time_point next_try_{};
    std::chrono::milliseconds backoff_{0};
    std::string last_error_;
    int former_backend_ = 0; ///< of the last connection, for a writer
    bool in_transaction_ = false;
    bool wrote_ = false;      ///< in this transaction
    std::int64_t number_ = 0; ///< of the last transaction that wrote
    std::uint64_t changes_ = 0;
    std::uint64_t earlier_trips_ = 0;
};

} // namespace acmetool::store
