#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"
#include "store/options.h"

struct pg_conn;
struct pg_result;

namespace acmetool::store
{

struct PqLibrary;

/// What a connection string says, as libpq reads it.
struct PqTarget {
    std::vector<std::string> hosts; ///< names, addresses, or folders of Unix sockets; may be empty
    std::string sslmode;            ///< empty: libpq's default
    bool has_password = false;
};
/// Errors: config, reason "badConfig".
ACMETOOL_EXPORT Result<PqTarget> parse_target(const std::string& text);

/// One connection to a PostgreSQL server by libpq. Statements are queued and sent together (pipeline mode),
/// so that several cost one round trip. Used by one thread at a time.
///
/// No call waits longer than ten seconds for the server; a connection of which one did, or that broke, is of
/// no use any more.
class PqConnection
{
public:
    /// Connects. Errors: io, cause store_away, or reason "database"; config.
    static Result<std::unique_ptr<PqConnection>> open(const Options& options);
    ~PqConnection();
    PqConnection(const PqConnection&) = delete;
    PqConnection& operator=(const PqConnection&) = delete;

    bool is_broken() const { return broken_; }
    /// "db1:5432/relay"
    std::string id() const;

    /// Queues a statement, which is prepared once and kept. The parameters are copied.
    void queue(std::string_view sql, const std::vector<Database::Value>& parameters = {});
    std::size_t queued() const { return queued_.size(); }
    /// Sends what is queued, waits, and returns the rows of the last statement. The statements after one that
    /// fails are not run. Errors: io, of the first that failed; causes store_away, store_conflict.
    Result<std::vector<Database::Row>> run();
    /// Rows inserted, changed and deleted, of all statements that succeeded.
    std::uint64_t changes() const { return changes_; }
    /// How often run() waited for the server.
    std::uint64_t round_trips() const { return round_trips_; }

    int socket() const;
    /// The server's process for this connection.
    int backend() const;
    /// The payloads of the notifications that came (LISTEN). Errors: io, cause store_away.
    Result<std::vector<std::string>> notifications();

private:
    struct Parameter {
        std::string octets;
        bool is_number = false;
    };
    struct Queued {
        std::string name;    ///< of the prepared statement
        std::string prepare; ///< its text, if it is to be prepared
        std::vector<Parameter> parameters;
    };

    struct Finish {
        void operator()(pg_conn* connection) const noexcept;
    };
    using Clock = std::chrono::steady_clock;

    PqConnection(const PqLibrary& pq, pg_conn* connection) : pq_(pq), connection_(connection) {}
    Result<void> connect();
    Result<void> send(const Queued& one);
    Result<void> wait(short events, Clock::time_point until);
    Result<pg_result*> next_result(Clock::time_point until);
    tl::unexpected<Error> lost(std::string_view what = {});
    tl::unexpected<Error> failed(const pg_result* result) const;

    const PqLibrary& pq_;
    std::unique_ptr<pg_conn, Finish> connection_;
    std::map<std::string, std::string, std::less<>> prepared_; ///< name by text
    std::vector<Queued> queued_;
    std::uint64_t changes_ = 0;
    std::uint64_t round_trips_ = 0;
    bool broken_ = false;
};

} // namespace acmetool::store
