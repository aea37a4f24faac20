#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/worker.h"
#include "enrol/events.h"
#include "http/curl_library.h"
#include "http/multi_client.h"
#include "http/multi_client_wait.h"
#include "registrar/masa.h"
#include "registrar/masa_login.h"

namespace acmetool::registrar
{

inline constexpr std::chrono::seconds kLongestMasaWait{60}; ///< between two requests for one device

/// The client of a manufacturer's MASA (RFC 8995 sections 5.4 to 5.8), over HTTPS.
///
/// It has a thread, which runs all requests at once and keeps few connections. A request that fails, or that
/// the MASA answers with 202, 429 or 5xx, is sent again: after Retry-After, or after 1, 2, 4 ... 60 seconds.
class MasaClient final : public Masa
{
public:
    /// `events`, which is told of the messages, is not owned. Errors: config, if libcurl cannot be loaded.
    static Result<std::unique_ptr<Masa>> start(MasaSettings settings, enrol::EventSink& events);
    ~MasaClient() override;

    void ask(MasaQuestion question, Hear hear) override;
    void forget(const std::string& id) override;
    void use(MasaSettings settings) override;

private:
    struct Open {
        MasaQuestion question;
        Hear hear;
        std::uint64_t sent = 0; ///< number of the last request: replies to earlier ones are ignored
        bool logged_in = false; ///< the last request answered a challenge
        std::chrono::seconds backoff{1};
        base::Worker::Timer again = 0;
    };

    MasaClient(const http::CurlLibrary& curl, MasaSettings settings, enrol::EventSink& events);

    // On the thread.
    void send(Open& open);
    void send(Open& open, http::Request request);
    void transfer(Open& open, http::Request request, http::MultiClient::Done done);
    void took(const std::string& id, std::uint64_t sent, Result<http::Response> reply);
    void follow_log(Open& open, const http::Response& reply);
    void delay(Open& open, MasaDelay told, std::optional<std::chrono::seconds> asked);
    void end(Open& open, MasaAnswer answer);

    const http::CurlLibrary& curl_;
    enrol::EventSink& events_;
    MasaSettings settings_; ///< this and the rest belong to the thread
    MasaLogin login_;
    std::map<std::string, Open> open_; ///< by the id of the question
    std::uint64_t last_sent_ = 0;
    http::MultiClientWait* transfers_; ///< owned by worker_
    base::Worker worker_;              ///< destroyed first
};

} // namespace acmetool::registrar
