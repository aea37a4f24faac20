#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/options.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls_engine.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"
#include "radius/packet.h"
#include "teap/server.h"

namespace acmetool::access
{

/// The RADIUS server's side of EAP conversations (RFC 3579): who may ask, which conversation a packet belongs
/// to, and repeats. Datagrams in, datagrams out; no sockets. All calls may be made by any thread.
///
/// Each request that a known client made gets an answer, so that a proxy in front does not take silence for a
/// dead server: Access-Reject if it is not for TEAP, Access-Accept to Status-Server, Accounting-Response to
/// what was recorded. Silence is for what is not authentic, and for new conversations when there is no room.
class ACMETOOL_EXPORT Sessions
{
public:
    struct Source {
        std::string address;
        std::uint16_t port = 0;
    };
    /// What the NAS says of the port, as far as it does.
    struct Port {
        std::string nas;     ///< NAS-Identifier, or NAS-IP-Address
        std::string port;    ///< NAS-Port-Id, or NAS-Port
        std::string station; ///< Calling-Station-Id, a MAC address mostly
    };
    enum class End {
        accepted,
        rejected,
        abandoned, ///< the peer or the NAS did not go on
    };
    struct Ended {
        End end = End::rejected;
        teap::Summary summary;
        Source source;
        Port port;
        std::string request_id;
    };
    /// Told of each conversation that ended.
    using Observer = std::function<void(const Ended&)>;
    /// Why a packet gets no answer. Logs and counters have it by its name.
    enum class Drop { unknown_client, malformed, code, request_authenticator, message_authenticator };
    static constexpr Drop kLastDrop = Drop::message_authenticator;
    static const char* name_of(Drop cause);
    static std::optional<Drop> drop_named(std::string_view name);
    /// Told of packets that get no answer, at most once a minute for a cause and an address. `times`: how
    /// many were dropped since the last call.
    using Dropped = std::function<void(Drop cause, const Source&, std::uint64_t times)>;
    /// Told of each message of a conversation with its request ID, for traces.
    using Tracer = std::function<void(const std::string& request_id, const teap::Shown&)>;
    /// Records an Accounting-Request.
    using Recorder = std::function<void(const radius::Packet&, const Source&)>;
    /// Calls the task at the time, or soon after it, from any thread; never from within the call.
    using Timers = std::function<void(std::chrono::steady_clock::time_point, std::function<void()>)>;

    /// Reads the clients' secrets. `authority` and `vouchers` are not owned and are destroyed before the
    /// sessions. Without `recorder` Accounting-Requests get no answer. With `timers` what is too old is
    /// forgotten; a timer runs only while something is kept. Errors: config.
    static Result<std::unique_ptr<Sessions>> make(Options config, crypto::TlsContext context,
                                                  enrol::RegistrationAuthority& authority, Observer observer,
                                                  enrol::VoucherAuthority* vouchers = nullptr,
                                                  Recorder recorder = {}, Timers timers = {},
                                                  Tracer tracer = {}, Dropped dropped = {});
    ~Sessions();
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;

    /// Takes one datagram. `reply` is called once with the answer, at once or later, or never.
    void take(ByteView datagram, const Source& source, std::function<void(Bytes)> reply);

    /// Certificate, clients and rules for conversations to come. Nothing changes yet: the function that comes
    /// back puts them into use, and cannot fail. Errors: config.
    Result<std::function<void()>> prepare(Options config, crypto::TlsContext context);
    /// No new conversations; returns when all have ended, or after `limit`.
    void drain(std::chrono::seconds limit);
    std::size_t open() const;
    std::map<std::string, std::uint64_t> counters() const;
    /// What a counter counts, as a sentence.
    static std::string_view help_of(std::string_view counter);

private:
    struct Impl;
    explicit Sessions(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace acmetool::access
