#include "store/pq_connection.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/wipe.h"
#include "store/configured.h"
#include "store/pq_library.h"

namespace acmetool::store
{
namespace
{

constexpr std::chrono::seconds kLongestWait{10};
constexpr const char* kConnectTimeout = "5"; ///< seconds, for each host

// Types of columns (pg_type.dat).
constexpr Oid kBool = 16;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;

/// libpq's messages end with a newline, and can have several lines.
std::string one_line(std::string_view text)
{
    std::string line;
    for (const auto part : base::split(base::trim(text), '\n'))
        line += fmt::format("{}{}", line.empty() ? "" : "; ", base::trim(part));
    return base::printable(line);
}

/// Begins text that the server would refuse: with a NUL, or no UTF-8. Its octets follow in hexadecimal, as do
/// those of text that begins like this. So different text stays different, and comes back as it was.
constexpr std::string_view kEncoded = "\xef\xbf\xbd";

std::string encoded(std::string_view text)
{
    if (!text.starts_with(kEncoded) && text.find('\0') == std::string_view::npos && base::is_utf8(text))
        return std::string{text};
    return std::string{kEncoded} + to_hex(as_bytes(text));
}

std::string decoded(std::string_view text)
{
    if (text.starts_with(kEncoded))
        if (const auto octets = base::parse_hex(text.substr(kEncoded.size())))
            return {octets->begin(), octets->end()};
    return std::string{text};
}

/// A value in the binary format of its type.
std::string as_text(Oid type, std::string_view octets)
{
    if (type == kText) return decoded(octets);
    if (type == kBool) return octets == std::string_view{"\0", 1} ? "0" : "1";
    if (type != kInt8 && type != kInt4 && type != kInt2) return std::string{octets};
    std::uint64_t bits = 0;
    for (const char octet : octets)
        bits = bits << 8U | static_cast<unsigned char>(octet);
    const auto unused = 8 * (sizeof bits - octets.size());
    return std::to_string(static_cast<std::int64_t>(bits << unused) >> unused);
}

struct Clear {
    const PqLibrary& pq;
    void operator()(PGresult* result) const noexcept { pq.clear(result); }
};

} // namespace

Result<PqTarget> parse_target(const std::string& text)
{
    ACMETOOL_TRY(pq, pq_library());
    // libpq's own words repeat a part of the text, which can be one of a password.
    auto* const options = pq->conninfo_parse(text.c_str(), nullptr);
    if (options == nullptr)
        return fail(Errc::config, "is no connection string that libpq reads",
                    "write it as postgresql://USER@HOST/DATABASE", "badConfig");
    PqTarget target;
    for (const auto* one = options; one->keyword != nullptr; ++one) {
        const std::string_view keyword{one->keyword};
        const std::string_view value{one->val != nullptr ? one->val : ""};
        if (value.empty()) continue;
        if (keyword == "host" || keyword == "hostaddr")
            for (const auto host : base::split(value, ','))
                target.hosts.emplace_back(host);
        else if (keyword == "sslmode")
            target.sslmode = value;
        else if (keyword == "password")
            target.has_password = true;
    }
    pq->conninfo_free(options);
    return target;
}

void PqConnection::Finish::operator()(PGconn* connection) const noexcept
{
    (*pq_library())->finish(connection);
}

PqConnection::~PqConnection() = default;

tl::unexpected<Error> PqConnection::lost(std::string_view what)
{
    broken_ = true;
    const auto why = what.empty() ? one_line(pq_.error_message(connection_.get())) : std::string{what};
    return fail(Errc::io, fmt::format("database {}: {}", id(), why),
                "check that the database's server runs and can be reached", word_of(Cause::store_away));
}

tl::unexpected<Error> PqConnection::failed(const PGresult* result) const
{
    const char* const state = pq_.result_error_field(result, PG_DIAG_SQLSTATE);
    const std::string_view code{state != nullptr ? state : ""};
    const char* const words = pq_.result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    auto message = fmt::format("database {}: {}", id(),
                               one_line(words != nullptr ? words : pq_.result_error_message(result)));
    // serialization_failure, deadlock_detected, lock_not_available, unique_violation
    if (code == "40001" || code == "40P01" || code == "55P03" || code == "23505")
        return fail(Errc::io, std::move(message), {}, word_of(Cause::store_conflict));
    const char* hint = "see the log of the database's server";
    if (code == "25006" || code == "42501") // read_only_sql_transaction, insufficient_privilege
        hint = "name a server that can be written to (target_session_attrs=read-write), and a role with the "
               "rights that store grants prints";
    else if (code == "42P01" || code == "42703") // undefined_table, undefined_column
        hint = "create the tables with store init, or bring them up to date with store upgrade";
    else if (code == "53100") // disk_full
        hint = "the disk of the database's server is full";
    return fail(Errc::io, std::move(message), hint, "database");
}

Result<std::unique_ptr<PqConnection>> PqConnection::open(const Options& options)
{
    ACMETOOL_TRY(pq, pq_library());
    // What comes later counts: the connection string may say otherwise of the first, not of the last.
    std::vector<std::pair<const char*, std::string>> settings{
        {"connect_timeout", kConnectTimeout},
        {"tcp_user_timeout", "10000"},
        {"keepalives_idle", "20"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"dbname", options.postgresql},
        {"client_encoding", "UTF8"},
        {"fallback_application_name", fmt::format("acmetool {}", options.instance)},
    };
    if (!options.password_file.empty()) {
        ACMETOOL_TRY(secret, read_configured_secret(options.password_file, "password_file"));
        const auto text = secret.reveal();
        settings.emplace_back("password", text.substr(0, text.find_first_of("\r\n")));
    }
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : settings) {
        keywords.push_back(keyword);
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    auto* const raw = pq->connect_start_params(keywords.data(), values.data(), 1);
    for (auto& [keyword, value] : settings)
        if (std::string_view{keyword} == "password") base::wipe(value);
    if (raw == nullptr) return fail(Errc::internal, "libpq has no memory");
    std::unique_ptr<PqConnection> connection{new PqConnection(*pq, raw)};
    ACMETOOL_CHECK(connection->connect());
    return connection;
}

Result<void> PqConnection::connect()
{
    // connect_timeout is that of the blocking call alone.
    const auto until = Clock::now() + kLongestWait;
    if (pq_.status(connection_.get()) == CONNECTION_BAD) return lost();
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
        ACMETOOL_CHECK(wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until));
        state = pq_.connect_poll(connection_.get());
        if (state == PGRES_POLLING_FAILED) return lost();
    }
    pq_.set_notice_processor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    if (pq_.setnonblocking(connection_.get(), 1) != 0 || pq_.enter_pipeline_mode(connection_.get()) != 1)
        return lost();
    // A commit survives a power failure. Whoever stops in the middle of a transaction, or waits for one that
    // does, stops nobody else. Compiling a statement takes the server longer than it saves in any of ours.
    queue("SELECT set_config('synchronous_commit', 'on', false) "
          "WHERE current_setting('synchronous_commit') = 'off'");
    queue(
        "SELECT set_config('idle_in_transaction_session_timeout', '10s', false), "
        "set_config('lock_timeout', '5s', false), "
        "set_config('tcp_keepalives_idle', '20', false), set_config('tcp_keepalives_interval', '5', false), "
        "set_config('tcp_keepalives_count', '3', false), "
        "set_config('default_transaction_isolation', 'read committed', false), set_config('jit', 'off', "
        "false)");
    ACMETOOL_CHECK(run());
    return {};
}

std::string PqConnection::id() const
{
    const auto text = [](const char* value) { return std::string{value != nullptr ? value : ""}; };
    return fmt::format("{}:{}/{}", text(pq_.host(connection_.get())), text(pq_.port(connection_.get())),
                       text(pq_.db(connection_.get())));
}

void PqConnection::queue(std::string_view sql, const std::vector<Database::Value>& parameters)
{
    Queued one;
    if (const auto found = prepared_.find(sql); found != prepared_.end()) {
        one.name = found->second;
    } else {
        one.name = fmt::format("s{}", prepared_.size());
        one.prepare = sql;
        prepared_.emplace(sql, one.name);
    }
    for (const auto& value : parameters) {
        if (const auto* number = std::get_if<std::int64_t>(&value))
            one.parameters.push_back({std::to_string(*number), true});
        else if (const auto* text = std::get_if<std::string_view>(&value))
            one.parameters.push_back({encoded(*text), false});
        else
            one.parameters.push_back({std::string{acmetool::as_text(std::get<ByteView>(value))}, false});
    }
    queued_.push_back(std::move(one));
}

/// Until the socket is ready for one of `events`.
Result<void> PqConnection::wait(short events, Clock::time_point until)
{
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) return lost("no answer for ten seconds");
        pollfd one{socket(), events, 0};
        if (::poll(&one, 1, static_cast<int>(left)) > 0) return {};
    }
}

Result<void> PqConnection::send(const Queued& one)
{
    if (!one.prepare.empty() &&
        pq_.send_prepare(connection_.get(), one.name.c_str(), one.prepare.c_str(), 0, nullptr) != 1)
        return lost();
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const auto& parameter : one.parameters) {
        values.push_back(parameter.octets.data());
        lengths.push_back(static_cast<int>(parameter.octets.size()));
        formats.push_back(parameter.is_number ? 0 : 1);
    }
    if (pq_.send_query_prepared(connection_.get(), one.name.c_str(), static_cast<int>(values.size()),
                                values.data(), lengths.data(), formats.data(), 1) != 1)
        return lost();
    return {};
}

/// Null at the end of a statement's results.
Result<PGresult*> PqConnection::next_result(Clock::time_point until)
{
    for (;;) {
        const int unsent = pq_.flush(connection_.get());
        if (unsent < 0) return lost();
        if (pq_.is_busy(connection_.get()) == 0) return pq_.get_result(connection_.get());
        ACMETOOL_CHECK(wait(unsent > 0 ? POLLIN | POLLOUT : POLLIN, until));
        if (pq_.consume_input(connection_.get()) != 1) return lost();
    }
}

Result<std::vector<Database::Row>> PqConnection::run()
{
    const auto sent = std::exchange(queued_, {});
    if (broken_) return lost("the connection broke");
    std::vector<Database::Row> rows;
    if (sent.empty()) return rows;
    for (const auto& one : sent)
        ACMETOOL_CHECK(send(one));
    if (pq_.pipeline_sync(connection_.get()) != 1) return lost();
    ++round_trips_;
    std::optional<Error> problem;
    std::size_t at = 0;                             // of `sent`
    bool preparing = !sent.front().prepare.empty(); // the next result is that of the preparation
    bool answered = false;
    const auto until = Clock::now() + kLongestWait;
    for (;;) {
        ACMETOOL_TRY(raw, next_result(until));
        if (raw == nullptr) {
            if (pq_.status(connection_.get()) == CONNECTION_BAD) return lost();
            // The end of the answer to a preparation or a statement.
            if (!std::exchange(answered, false)) continue;
            if (preparing)
                preparing = false;
            else if (++at < sent.size())
                preparing = !sent[at].prepare.empty();
            continue;
        }
        answered = true;
        const std::unique_ptr<PGresult, Clear> result{raw, Clear{pq_}};
        const auto status = pq_.result_status(raw);
        if (status == PGRES_PIPELINE_SYNC) break;
        if (status == PGRES_PIPELINE_ABORTED || status == PGRES_FATAL_ERROR) {
            // What was to be prepared was not, unless it was before.
            if (at < sent.size() && preparing) prepared_.erase(sent[at].prepare);
            if (status == PGRES_FATAL_ERROR && !problem) problem = failed(raw).value();
            if (pq_.status(connection_.get()) == CONNECTION_BAD) return lost();
            continue;
        }
        if (preparing) continue;
        if (!std::string_view{pq_.cmd_status(raw)}.starts_with("SELECT"))
            changes_ += std::strtoull(pq_.cmd_tuples(raw), nullptr, 10);
        if (at + 1 != sent.size()) continue;
        const int columns = pq_.nfields(raw);
        for (int row = 0; row < pq_.ntuples(raw); ++row) {
            Database::Row values;
            for (int column = 0; column < columns; ++column)
                values.push_back(pq_.getisnull(raw, row, column) != 0
                                     ? std::string{}
                                     : as_text(pq_.ftype(raw, column),
                                               {pq_.getvalue(raw, row, column),
                                                static_cast<std::size_t>(pq_.getlength(raw, row, column))}));
            rows.push_back(std::move(values));
        }
    }
    if (problem) return fail(std::move(*problem));
    return rows;
}

int PqConnection::backend() const
{
    return pq_.backend_pid(connection_.get());
}

int PqConnection::socket() const
{
    return pq_.socket(connection_.get());
}

Result<std::vector<std::string>> PqConnection::notifications()
{
    if (broken_) return lost("the connection broke");
    if (pq_.consume_input(connection_.get()) != 1) return lost();
    std::vector<std::string> payloads;
    while (auto* const one = pq_.notifies(connection_.get())) {
        payloads.emplace_back(one->extra != nullptr ? one->extra : "");
        pq_.freemem(one);
    }
    return payloads;
}

} // namespace acmetool::store
