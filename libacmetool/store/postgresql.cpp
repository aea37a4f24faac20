#include "store/postgresql.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/spread.h"
#include "base/text.h"

namespace acmetool::store
{
namespace
{

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{5000};
constexpr std::chrono::seconds kLookUp{5};
/// Sent before the server has answered the first: it must never have to wait for us to read.
constexpr std::size_t kMostQueued = 64;
constexpr const char* kChannel = "acmetool"; ///< of NOTIFY

/// Of the tables that belong to the store itself. The lock of one who creates is the only advisory one with
/// this number; those of instances have two.
constexpr const char* kOwnTables[] = {
    "SELECT pg_advisory_xact_lock(4115203)",
    "CREATE TABLE IF NOT EXISTS store_schema (version BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS store_commits (writer TEXT PRIMARY KEY, number BIGINT NOT NULL)",
};

/// What SQLite and PostgreSQL share of a statement that creates a table, for PostgreSQL: octets are compared
/// as octets, whatever the database's locale.
std::string for_postgresql(std::string_view statement)
{
    std::string text{statement};
    for (const auto& [what, instead] : {std::pair<std::string_view, std::string_view>{" WITHOUT ROWID", ""},
                                        {" TEXT", " TEXT COLLATE \"C\""}})
        for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += instead.size())
            text.replace(at, what.size(), instead);
    return text;
}

} // namespace

Postgresql::~Postgresql() = default;

Result<std::unique_ptr<Postgresql>> Postgresql::open(const Options& options, Role role)
{
    std::unique_ptr<Postgresql> database{new Postgresql(options, role)};
    ACMETOOL_CHECK(database->connect());
    std::random_device random;
    database->number_ = static_cast<std::int64_t>((std::uint64_t{random()} << 31U) ^ random());
    return database;
}

Result<void> Postgresql::connect()
{
    if (connection_) {
        earlier_trips_ += connection_->round_trips();
        former_backend_ = connection_->backend();
    }
    connection_.reset();
    ACMETOOL_TRY(made, PqConnection::open(options_));
    if (role_ == Role::writer) {
        // Held by the session: it ends with the process that has the name, however that ends. Of our own last
        // session the server may not know yet that it is over.
        if (former_backend_ != 0) {
            made->queue("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE pid = $1 AND "
                        "datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
                        {std::int64_t{former_backend_}});
            ACMETOOL_CHECK(made->run());
        }
        made->queue("SELECT pg_try_advisory_lock(4115203, hashtext($1))", {options_.instance});
        ACMETOOL_TRY(locked, made->run());
        if (locked.front().front() != "1")
            return fail(Errc::unavailable,
                        fmt::format("database {}: another relay there has the name {}", made->id(),
                                    options_.instance),
                        "give each relay its own instance in [store]", "instanceInUse");
    }
    connection_ = std::move(made);
    id_ = connection_->id();
    return {};
}

/// Makes the connection anew, if it is time to.
Result<void> Postgresql::connected()
{
    if (connection_ && !connection_->is_broken()) return {};
    if (Clock::now() < next_try_)
        return fail(Errc::io, last_error_, "check that the database's server runs and can be reached",
                    word_of(Cause::store_away));
    auto made = connect();
    if (made) {
        backoff_ = milliseconds{0};
        next_try_ = {};
        return {};
    }
    backoff_ = std::clamp(2 * backoff_, kFirstBackoff, kLongestBackoff);
    next_try_ = Clock::now() + base::spread(backoff_);
    last_error_ = made.error().message;
    return made;
}

std::uint64_t Postgresql::round_trips() const
{
    return earlier_trips_ + (connection_ ? connection_->round_trips() : 0);
}

Result<std::vector<Database::Row>> Postgresql::run()
{
    const auto before = connection_->changes();
    auto rows = connection_->run();
    changes_ += connection_->changes() - before;
    return rows;
}

Result<std::vector<Database::Row>> Postgresql::execute(std::string_view sql,
                                                       const std::vector<Value>& parameters)
{
    if (!in_transaction_) {
        ACMETOOL_CHECK(connected());
        connection_->queue(sql, parameters);
        auto rows = run();
        // It may have broken long ago. What only reads may be sent again.
        if (rows || rows.error().reason != Cause::store_away || !sql.starts_with("SELECT")) return rows;
        ACMETOOL_CHECK(connected());
        connection_->queue(sql, parameters);
        return run();
    }
    if (!connection_) // it broke in the middle
        return fail(Errc::io, last_error_, {}, word_of(Cause::store_away));
    connection_->queue(sql, parameters);
    const auto before = changes_;
    auto rows = run();
    if (changes_ != before) wrote_ = true;
    return rows;
}

Result<void> Postgresql::write(std::string_view sql, const std::vector<Value>& parameters)
{
    if (!in_transaction_ || !connection_ || connection_->queued() >= kMostQueued) {
        ACMETOOL_CHECK(execute(sql, parameters));
        return {};
    }
    connection_->queue(sql, parameters);
    wrote_ = true;
    return {};
}

Result<void> Postgresql::begin()
{
    ACMETOOL_CHECK(connected());
    connection_->queue("BEGIN");
    in_transaction_ = true;
    wrote_ = false;
    return {};
}

Result<void> Postgresql::commit()
{
    if (!connection_) return fail(Errc::io, last_error_, {}, word_of(Cause::store_away));
    const auto number = number_ + 1;
    const bool is_numbered = wrote_ && role_ == Role::writer;
    if (is_numbered) {
        number_ = number;
        connection_->queue("INSERT INTO store_commits VALUES ($1, $2) ON CONFLICT (writer) DO UPDATE "
                           "SET number = excluded.number",
                           {options_.instance, number});
    }
    connection_->queue("COMMIT");
    auto done = run();
    if (done) {
        in_transaction_ = false;
        return {};
    }
    if (!wrote_ || done.error().reason != Cause::store_away) return fail(std::move(done).error());
    in_transaction_ = false;
    if (is_numbered) return look_up_commit(number, done.error());
    done.error().reason = std::string{word_of(Cause::commit_unknown)};
    return fail(std::move(done).error());
}

Result<void> Postgresql::look_up_commit(std::int64_t number, const Error& lost)
{
    const auto until = Clock::now() + kLookUp;
    for (auto wait = kFirstBackoff; Clock::now() < until; wait = std::min(2 * wait, kLongestBackoff)) {
        if (connect()) {
            connection_->queue("SELECT number FROM store_commits WHERE writer = $1", {options_.instance});
            if (const auto found = connection_->run()) {
                if (!found->empty() && number_of(found->front().front()) == number) return {};
                return fail(lost);
            }
        }
        std::this_thread::sleep_for(base::spread(wait));
    }
    auto error = lost;
    error.reason = std::string{word_of(Cause::commit_unknown)};
    return fail(std::move(error));
}

void Postgresql::rollback() noexcept
{
    in_transaction_ = false;
    if (!connection_ || connection_->is_broken()) return;
    try {
        connection_->queue("ROLLBACK");
        if (!run()) connection_.reset();
    } catch (...) {
        connection_.reset(); // which rolls back, too
    }
}

Result<unsigned> Postgresql::version()
{
    ACMETOOL_TRY(there, execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() "
                                "AND tablename = 'store_schema'"));
    if (there.empty()) return 0U;
    ACMETOOL_TRY(rows, execute("SELECT version FROM store_schema"));
    return rows.empty() ? 0U : static_cast<unsigned>(number_of(rows.front().front()));
}

Result<void> Postgresql::create(const std::vector<std::string_view>& statements, unsigned version,
                                unsigned former)
{
    const bool is_own = !in_transaction_;
    if (is_own) ACMETOOL_CHECK(begin());
    const auto attempt = [&]() -> Result<void> {
        for (const auto* statement : kOwnTables)
            ACMETOOL_CHECK(execute(for_postgresql(statement)));
        ACMETOOL_TRY(found, this->version());
        if (version != 0 && found != 0 && found != version && found != former)
            return fail(Errc::config,
                        fmt::format("database {}: its tables are of version {}, this program's of {}", id_,
                                    found, version),
                        found > version ? "run the version that created them"
                                        : "bring them up to date with store upgrade",
                        "storeVersion");
        for (const auto statement : statements)
            ACMETOOL_CHECK(execute(for_postgresql(statement)));
        if (version == 0 || found == version) return {};
        ACMETOOL_CHECK(execute("DELETE FROM store_schema"));
        ACMETOOL_CHECK(execute("INSERT INTO store_schema VALUES ($1)", {std::int64_t{version}}));
        return {};
    };
    auto done = attempt();
    if (!is_own) return done;
    if (done) done = commit();
    if (!done) rollback();
    return done;
}

Result<void> Postgresql::probe()
{
    ACMETOOL_CHECK(execute("UPDATE store_schema SET version = version"));
    return {};
}

Result<std::unique_ptr<Database>> Postgresql::reopen() const
{
    ACMETOOL_TRY(other, open(options_));
    return std::unique_ptr<Database>{std::move(other)};
}

std::string_view Postgresql::seconds() const
{
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)";
}

Result<void> Postgresql::lock(std::string_view what)
{
    ACMETOOL_CHECK(execute("SELECT pg_advisory_xact_lock(4115204, hashtext($1))", {what}));
    return {};
}

Result<void> Postgresql::notify(std::string_view payload)
{
    return write("SELECT pg_notify($1, $2)", {std::string_view{kChannel}, payload});
}

} // namespace acmetool::store
