#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "access/options.h"
#include "base/result.h"
#include "enrol/events.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"

namespace acmetool::access
{

/// TEAP over RADIUS in front of a registration authority: the UDP socket and the conversations on it.
class Service
{
public:
    /// `authority`, `vouchers` (null without BRSKI) and `log` are not owned. Errors:
    /// config, cannot_create.
    static Result<std::unique_ptr<Service>> start(const Options& options,
                                                  enrol::RegistrationAuthority& authority,
                                                  enrol::VoucherAuthority* vouchers, enrol::EventSink& log);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    std::uint16_t port() const;
    std::size_t open() const;
    std::map<std::string, std::uint64_t> counters() const;
    /// Certificate, secrets and rules for conversations to come. Nothing changes yet: the function that comes
    /// back puts them into use, and cannot fail. Errors: config.
    Result<std::function<void()>> prepare(const Options& options);
    /// No new conversations; returns when all have ended, or after `limit`.
    void drain(std::chrono::seconds limit);
    /// No packets from now on.
    void stop();

private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::access
