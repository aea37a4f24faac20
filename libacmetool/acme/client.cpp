#include "acme/client.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/messages.h"
#include "acme/rollover.h"
#include "base/json.h"
#include "base/text.h"
#include "http/retry_after.h"

namespace acmetool::acme
{
namespace
{

using base::Milliseconds;

constexpr Milliseconds kFirstWait{25};
constexpr Milliseconds kLongestWait{5000};
constexpr Milliseconds kLeastTimeout{1000};

/// Adds a hint to a failure to get the directory: after a redirect or a missing page the URL is wrong, else
/// the server fails or refuses.
Error directory_error(const http::Response& response, const std::string& url, base::TimePoint now)
{
    auto error = with_context(error_of(response, now), fmt::format("directory {}", url));
    const bool redirect = response.status >= 300 && response.status < 400;
    if (redirect || response.status == 404 || response.status == 405 || response.status == 410) {
        error.code = Errc::protocol;
        error.reason = "notADirectory";
        error.hint = "give the URL of an ACME directory, which often ends in /directory or /dir";
    }
    if (const auto location = http::find(response.headers, "location"); redirect && location)
        error.hint =
            fmt::format("redirects are not followed; this one leads to {}: give that URL if it is correct",
                        base::printable(*location, 200));
    return error;
}

} // namespace

Client::Client(base::Context& context, http::ClientOptions options, Milliseconds timeout)
    : context_(context), http_(std::move(options), context)
{
    begin(timeout);
}

void Client::begin(Milliseconds timeout)
{
    timeout_ = timeout;
    began_ = context_.steady_now();
    deadline_ = began_ + timeout;
    if (const auto end = context_.run_ends()) deadline_ = std::min(deadline_, *end); // of several clients
}

Client::~Client()
{
    state_.keep_nonces(session_.directory.url, session_.nonces);
}

Result<std::unique_ptr<Client>> Client::open(const ClientOptions& options, base::Context& context)
{
    ACMETOOL_TRY(account, load_account(options.account_file));
    const auto key_file = beside(options.account_file, account.key_file);
    ACMETOOL_TRY(passphrase, passphrase_for(key_file, options.passphrase, context));
    ACMETOOL_TRY(key, load_account_key(key_file, passphrase, &context));
    std::error_code none;
    if (std::filesystem::exists(next_key_file(key_file), none))
        context.log(
            base::Level::warning,
            "a rollover of the account's key was interrupted: complete it with acme-account rollover");
    ACMETOOL_TRY(state, StateDirectory::open(options.state_directory, options.account_file));
    http::ClientOptions http_options;
    http_options.ca_file =
        options.ca_file.empty() ? beside(options.account_file, account.ca_file) : options.ca_file;
    std::unique_ptr<Client> client{new Client(context, std::move(http_options), options.timeout)};
    client->session_.key = key;
    client->session_.account_url = account.url;
    client->state_ = std::move(state);
    ACMETOOL_CHECK(client->load_directory(account.directory));
    if (!client->directory().owns(account.url))
        return fail(Errc::config,
                    fmt::format("account file {}: {} is not a URL of {}", options.account_file, account.url,
                                account.directory),
                    "the file was edited or the CA moved: register again", "foreignUrl");
    client->session_.nonces = client->state_.take_nonces(account.directory);
    return client;
}

Result<std::unique_ptr<Client>> Client::connect(const std::string& directory_url, std::string ca_file,
                                                crypto::Key key, Milliseconds timeout, base::Context& context)
{
    http::ClientOptions http_options;
    http_options.ca_file = std::move(ca_file);
    std::unique_ptr<Client> client{new Client(context, std::move(http_options), timeout)};
    client->session_.key = std::move(key);
    ACMETOOL_CHECK(client->load_directory(directory_url));
    return client;
}

Result<void> Client::load_directory(const std::string& url)
{
    const auto now = context_.now();
    if (const auto cached = state_.cached_directory(url, now)) {
        if (auto directory = parse_directory(*cached, url)) {
            session_.directory = std::move(*directory);
            return {};
        }
    }
    http::Request request;
    request.url = url;
    auto response = send(request, Post{Step::directory, {}, url, {}}, false);
    if (!response) return fail(with_context(std::move(response).error(), "directory"));
    if (response->status != 200) return fail(directory_error(*response, url, now));
    ACMETOOL_TRY(directory, parse_directory(response->body, url));
    session_.directory = std::move(directory);
    state_.cache_directory(url, response->body, now);
    return {};
}

Result<http::Response> Client::send(const http::Request& request, const Post& post, bool nonce)
{
    const auto message = request_message(request, post, nonce);
    context_.message(message);
    context_.log(base::Level::wire, fmt::format("{} {}", message.method, request.url));
    auto bounded = request;
    // The whole verb has a deadline, which a silent server must not exceed by much.
    bounded.timeout =
        std::max(std::chrono::ceil<Milliseconds>(deadline_ - context_.steady_now()), kLeastTimeout);
    auto response = http_.send(bounded);
    context_.message(reply_message(message, response, nonce));
    if (response)
        context_.log(base::Level::wire, fmt::format("HTTP {} after {} ms, {} octets", response->status,
                                                    response->took.count(), response->body.size()));
    return response;
}

Result<Reply> Client::post(Post post)
{
    Exchange exchange{session_, std::move(post)};
    while (!exchange.result()) {
        ACMETOOL_TRY(action, exchange.next());
        if (const auto* pause_action = std::get_if<Exchange::Pause>(&action)) {
            if (context_.steady_now() + pause_action->duration > deadline_)
                return fail(Errc::unavailable,
                            fmt::format("{}: {}: no valid answer in time", name_of(exchange.post().step),
                                        exchange.post().url),
                            "the server is slow or failing; run the same command again or increase --timeout",
                            Cause::timeout);
            ACMETOOL_CHECK(context_.sleep(pause_action->duration,
                                          {std::string{name_of(exchange.post().step)}, began_, deadline_}));
            continue;
        }
        const auto& send_action = std::get<Exchange::Send>(action);
        exchange.take(send(send_action.request, exchange.post(), send_action.is_nonce_request),
                      context_.now());
    }
    // A URL that the CA no longer serves may come from an outdated directory document.
    const auto& result = *exchange.result();
    if (!result && result.error().code != Errc::interrupted && result.error().problem_type.empty())
        state_.forget_directory();
    return result;
}

Result<Reply> Client::get(const Post& what)
{
    http::Request request;
    request.url = what.url;
    auto response = send(request, what, false);
    if (!response) return fail(with_context(std::move(response).error(), name_of(what.step)));
    const auto now = context_.now();
    if (response->status != 200) return fail(with_context(error_of(*response, now), name_of(what.step)));
    Reply reply;
    reply.status = response->status;
    reply.body = std::move(response->body);
    if (const auto value = http::find(response->headers, "retry-after"))
        reply.retry_after = http::parse_retry_after(*value, now);
    return reply;
}

Result<bool> Client::pause(Milliseconds duration, const std::string& what)
{
    if (context_.steady_now() + duration > deadline_) return false;
    ACMETOOL_CHECK(context_.sleep(duration, {what, began_, deadline_}));
    return true;
}

Result<Authorization> Client::fetch_authorization(const std::string& url, const AuthorizationScope& scope,
                                                  bool created)
{
    Post request{Step::authz, {}, url, {}};
    request.just_created = created;
    ACMETOOL_TRY(reply, post(std::move(request)));
    return parse_authorization(reply.body, url, scope);
}

Result<Authorization> Client::wait_until_valid(const Authorization& known, const std::string& challenge_type)
{
    const auto scope = scope_of_name(known.identifier);
    auto wait = kFirstWait;
    for (;;) {
        Post request{Step::authz, known.identifier, known.url, {}};
        request.just_created = true; // newAuthz or newOrder was sent just before
        ACMETOOL_TRY(reply, post(std::move(request)));
        ACMETOOL_TRY(authorization, parse_authorization(reply.body, known.url, scope));
        if (authorization.status == "valid") return std::move(authorization);
        // A challenge may be "processing" with an error and still succeed (RFC 8555 section 8.2): only the
        // authorization's own status ends the wait.
        if (authorization.status != "pending" && authorization.status != "processing") {
            Error error;
            error.code = Errc::refused;
            error.message = fmt::format("{}: validation failed: {}", authorization.identifier,
                                        authorization.why_not_valid());
            error.reason = Cause::validation_failed;
            error.hint =
                fmt::format("the CA could not validate the {} challenge; the message above says what it "
                            "found",
                            challenge_type);
            const auto* challenge = authorization.find_challenge(challenge_type);
            if (challenge != nullptr && challenge->error) error.problem_type = challenge->error->type;
            return fail(std::move(error));
        }
        const Milliseconds duration =
            reply.retry_after ? std::max<Milliseconds>(*reply.retry_after, kFirstWait) : wait;
        ACMETOOL_TRY(waited, pause(duration, fmt::format("the CA to validate {}", authorization.identifier)));
        if (!waited) return std::move(authorization);
        wait = std::min(wait * 2, kLongestWait);
    }
}

} // namespace acmetool::acme
