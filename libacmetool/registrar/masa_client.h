#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "enrol/events.h"
#include "registrar/masa.h"

namespace acmetool::registrar
{

inline constexpr std::chrono::seconds kLongestMasaWait{60}; ///< between two requests for one device

/// The client of a manufacturer's MASA (RFC 8995 sections 5.4 to 5.8), over HTTPS.
///
/// It runs all requests at once and keeps few connections. A request that fails, or that the MASA answers
/// with 202, 429 or 5xx, is sent again: after Retry-After, or after 1, 2, 4 ... 60 seconds.
class MasaClient final : public Masa
{
public:
    /// `events`, which is told of the messages, is not owned. Errors: config, if libcurl cannot be loaded.
    static Result<std::unique_ptr<Masa>> start(MasaSettings settings, enrol::EventSink& events,
                                               MasaThread thread);
    ~MasaClient() override;

    void ask(MasaQuestion question, Hear hear) override;
    void forget(const std::string& id) override;
    void use(MasaSettings settings) override;

private:
    struct Impl;
    explicit MasaClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_; ///< its tasks share it
};

} // namespace acmetool::registrar
