#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "acme/solver.h"
#include "acme/solver_options.h"
#include "crypto/tls_alpn.h"
#include "net/tcp_listener.h"

namespace acmetool::acme
{

/// Where a standalone solver listens.
struct ListenAddress {
    std::string host; ///< empty: all addresses of this host
    std::uint16_t port = 0;
};
/// "PORT", "HOST:PORT", "[V6]:PORT". Errc::usage.
ACMETOOL_EXPORT Result<ListenAddress> parse_listen_address(std::string_view text);

/// The key authorization for a token; nothing if there is no such challenge.
using FindKeyAuthorization = std::function<std::optional<std::string>(std::string_view token)>;

/// The whole reply to a validator's http-01 request (RFC 8555 section 8.3). Nothing if the head of the
/// request is not complete yet. Pure.
ACMETOOL_EXPORT std::optional<std::string> answer_http01(std::string_view received,
                                                         const FindKeyAuthorization& find);

/// http-01 or tls-alpn-01 (RFC 8737) answered by this program from the first publish() to the last cleanup().
class StandaloneSolver final : public Solver
{
public:
    /// Errors: usage (neither "http" nor "tls-alpn", or no valid address).
    static Result<std::unique_ptr<Solver>> make(const SolverOptions& options);

    bool supports(std::string_view challenge_type) const override;
    Result<void> publish(const ChallengeTask& task, base::Context& context) override;
    Result<void> cleanup(const ChallengeTask& task, bool succeeded, base::Context& context) override;

private:
    std::unique_ptr<net::Conversation> answer();

    bool tls_ = false;
    ListenAddress where_;
    std::mutex mutex_; ///< guards `files_`, which the listener's thread reads
    std::map<std::string, std::string, std::less<>> files_; ///< token to key authorization
    crypto::AlpnProofs proofs_;
    std::unique_ptr<net::TcpListener> listener_; ///< destroyed first: its thread uses the other members
};

} // namespace acmetool::acme
