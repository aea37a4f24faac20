#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"
#include "relay/config.h"
#include "relay/event_log.h"

namespace acmetool::relay
{

/// TEAP over RADIUS in front of a registration authority: the UDP socket and the conversations on it.
class TeapService
{
public:
    /// `config` has TEAP in it; `authority`, `vouchers` (null without BRSKI) and `log` are not owned. Errors:
    /// config, cannot_create.
    static Result<std::unique_ptr<TeapService>> start(const Config& config,
                                                      enrol::RegistrationAuthority& authority,
                                                      enrol::VoucherAuthority* vouchers, EventLog& log);
    ~TeapService();
    TeapService(const TeapService&) = delete;
    TeapService& operator=(const TeapService&) = delete;

    std::uint16_t port() const;
    std::size_t open() const;
    std::map<std::string, std::uint64_t> counters() const;
    /// Certificate, secrets and rules for conversations to come.
    Result<void> reload(const Config& config);
    /// No new conversations; returns when all have ended, or after `limit`.
    void drain(std::chrono::seconds limit);
    /// No packets any more.
    void stop();

private:
    struct Impl;
    explicit TeapService(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::relay
