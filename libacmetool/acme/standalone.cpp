#include "acme/standalone.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "net/endpoint.h"

namespace acmetool::acme
{
namespace
{

constexpr std::size_t kLongestHead = 8192;
constexpr std::string_view kFolder = "/.well-known/acme-challenge/";

std::string reply(int status, std::string_view reason, std::string_view body)
{
    return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: application/octet-stream\r\nContent-Length: "
                       "{}\r\nConnection: close\r\n\r\n{}",
                       status, reason, body.size(), body);
}

class HttpConversation final : public net::Conversation
{
public:
    explicit HttpConversation(FindKeyAuthorization find) : find_(std::move(find)) {}
    bool take(ByteView received, Bytes& out) override
    {
        text_ += as_text(received);
        const auto answer = answer_http01(text_, find_);
        if (!answer) return true;
        out.insert(out.end(), answer->begin(), answer->end());
        return false;
    }

private:
    FindKeyAuthorization find_;
    std::string text_;
};

class AlpnConversation final : public net::Conversation
{
public:
    explicit AlpnConversation(const crypto::AlpnProofs& proofs) : handshake_(proofs) {}
    bool take(ByteView received, Bytes& out) override { return handshake_.feed(received, out); }

private:
    crypto::AlpnHandshake handshake_;
};

} // namespace

Result<ListenAddress> parse_listen_address(std::string_view text)
{
    const bool port_only =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    ACMETOOL_TRY(endpoint,
                 net::parse_endpoint(port_only ? fmt::format("0.0.0.0:{}", text) : std::string{text}));
    if (!port_only && !text.ends_with(fmt::format(":{}", endpoint.port)))
        return fail(Errc::usage, fmt::format("{}: not a port", base::printable(text)),
                    "give PORT, ADDRESS:PORT or [V6]:PORT", "noPort");
    return ListenAddress{port_only ? std::string{} : endpoint.host, endpoint.port};
}

std::optional<std::string> answer_http01(std::string_view received, const FindKeyAuthorization& find)
{
    const auto end = std::min(received.find("\r\n\r\n"), received.find("\n\n"));
    if (end == std::string_view::npos) {
        if (received.size() <= kLongestHead) return std::nullopt;
        return reply(431, "Request Header Fields Too Large", "");
    }
    const auto line = base::trim(received.substr(0, received.find('\n')));
    const auto words = base::split(line, ' ');
    if (words.size() != 3 || !words[2].starts_with("HTTP/1.")) return reply(400, "Bad Request", "");
    if (words[0] != "GET") return reply(405, "Method Not Allowed", "");
    if (!words[1].starts_with(kFolder)) return reply(404, "Not Found", "");
    const auto found = find(words[1].substr(kFolder.size()));
    return found ? reply(200, "OK", *found) : reply(404, "Not Found", "");
}

Result<std::unique_ptr<Solver>> StandaloneSolver::make(const SolverOptions& options)
{
    auto solver = std::make_unique<StandaloneSolver>();
    if (options.standalone != "http" && options.standalone != "tls-alpn")
        return fail(
            Errc::usage,
            fmt::format("--standalone {}: must be http or tls-alpn", base::printable(options.standalone, 50)),
            {}, "standaloneKind");
    solver->tls_ = options.standalone == "tls-alpn";
    solver->where_.port = solver->tls_ ? 443 : 80;
    if (!options.standalone_listen.empty()) {
        auto where = parse_listen_address(options.standalone_listen);
        if (!where) return fail(with_context(std::move(where).error(), "--standalone-listen"));
        solver->where_ = std::move(*where);
    }
    return std::unique_ptr<Solver>{std::move(solver)};
}

bool StandaloneSolver::supports(std::string_view challenge_type) const
{
    return challenge_type == (tls_ ? "tls-alpn-01" : "http-01");
}

std::unique_ptr<net::Conversation> StandaloneSolver::answer()
{
    if (tls_) return std::make_unique<AlpnConversation>(proofs_);
    return std::make_unique<HttpConversation>([this](std::string_view token) -> std::optional<std::string> {
        const std::lock_guard lock{mutex_};
        const auto found = files_.find(token);
        return found == files_.end() ? std::nullopt : std::optional{found->second};
    });
}

Result<void> StandaloneSolver::publish(const ChallengeTask& task, base::Context& context)
{
    if (task.key_authorization.empty())
        return fail(Errc::bad_input, "the document contains no key authorization", {}, "noKeyAuthorization");
    if (tls_) {
        ACMETOOL_TRY(proof, crypto::make_alpn_proof(task.identifier,
                                                    crypto::sha256(as_bytes(task.key_authorization))));
        proofs_.put(task.identifier, std::move(proof));
    } else {
        const std::lock_guard lock{mutex_};
        files_.insert_or_assign(task.token, task.key_authorization);
    }
    if (!listener_) {
        ACMETOOL_TRY(listener,
                     net::TcpListener::start(where_.host, where_.port, [this] { return answer(); }));
        listener_ = std::move(listener);
    }
    base::Message message;
    message.from = "client";
    message.to = "web";
    message.label = tls_ ? "Serve acme-tls/1" : "Serve challenge file";
    message.detail = task.identifier;
    message.url = fmt::format("{}:{}", where_.host.empty() ? "*" : where_.host, listener_->port());
    context.message(message);
    return {};
}

Result<void> StandaloneSolver::cleanup(const ChallengeTask& task, bool, base::Context& context)
{
    bool more = false;
    if (tls_) {
        proofs_.remove(task.identifier);
        more = !proofs_.empty();
    } else {
        const std::lock_guard lock{mutex_};
        files_.erase(task.token);
        more = !files_.empty();
    }
    if (more || !listener_) return {};
    if (const auto pauses = listener_->pauses(); pauses > 0)
        context.log(
            base::Level::warning,
            fmt::format("--standalone: connections had to wait {} times, because this process has too many "
                        "files open (ulimit -n)",
                        pauses));
    listener_.reset();
    return {};
}

} // namespace acmetool::acme
