#include "http/server.h"

#include <atomic>
#include <exception>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::http
{
namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Tcp = asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

struct Peer {
    std::string address;
    std::uint16_t port = 0;
};

ServerRequest take_request(const bhttp::request<bhttp::string_body>& message, const Peer& peer)
{
    ServerRequest request;
    request.method = message.method_string();
    request.target = message.target();
    for (const auto& field : message)
        request.headers.emplace_back(base::to_lower(field.name_string()), field.value());
    request.body = message.body();
    request.peer = peer.address;
    request.peer_port = peer.port;
    return request;
}

bhttp::response<bhttp::string_body> make_response(const ServerResponse& answer, unsigned version, bool keep,
                                                  bool head)
{
    bhttp::response<bhttp::string_body> response{static_cast<bhttp::status>(answer.status), version};
    for (const auto& [name, value] : answer.headers)
        response.insert(name, value);
    response.keep_alive(keep);
    response.body() = head ? std::string{} : answer.body;
    response.prepare_payload();
    if (head) response.content_length(answer.body.size());
    if (answer.status == 204) response.erase(bhttp::field::content_length);
    return response;
}

} // namespace

struct Server::Impl {
    ServerOptions options;
    Handler handler;
    asio::io_context io;
    asio::ssl::context tls{asio::ssl::context::tls_server};
    Tcp::acceptor acceptor{io};
    std::atomic<bool> draining{false};
    std::atomic<unsigned> busy{0}; ///< requests between their last octet and the last of the answer
    std::vector<std::jthread> threads;

    Result<void> prepare();
    asio::awaitable<void> accept();
    asio::awaitable<void> serve(Tcp::socket socket);
    template <class Stream>
    asio::awaitable<void> answer(Stream& stream, const Peer& peer);
    ServerResponse handle(const ServerRequest& request) const;
};

ServerResponse Server::Impl::handle(const ServerRequest& request) const
{
    try {
        return handler(request);
    } catch (const std::exception&) {
        return {500, {{"Content-Type", "text/plain"}}, "internal error\n", false};
    }
}

template <class Stream>
asio::awaitable<void> Server::Impl::answer(Stream& stream, const Peer& peer)
{
    beast::flat_buffer buffer{options.body_limit + options.header_limit + 4096};
    auto& tcp = beast::get_lowest_layer(stream);
    bool keep = true;
    while (keep && !draining) {
        bhttp::request_parser<bhttp::string_body> parser;
        parser.body_limit(options.body_limit);
        parser.header_limit(static_cast<std::uint32_t>(options.header_limit));
        tcp.expires_after(options.idle_timeout);
        boost::system::error_code problem;
        co_await bhttp::async_read(stream, buffer, parser,
                                   asio::redirect_error(asio::use_awaitable, problem));
        ServerResponse result;
        bool head = false;
        if (problem == bhttp::error::body_limit || problem == bhttp::error::header_limit) {
            result = {problem == bhttp::error::body_limit ? 413 : 431, {}, "too large\n", false};
            keep = false;
        } else if (problem) {
            co_return;
        } else {
            ++busy;
            head = parser.get().method() == bhttp::verb::head;
            keep = parser.get().keep_alive();
            result = handle(take_request(parser.get(), peer));
        }
        if (result.drop) {
            --busy;
            tcp.close();
            co_return;
        }
        tcp.expires_after(options.handshake_timeout);
        keep = keep && !draining;
        auto response = make_response(result, 11, keep, head);
        co_await bhttp::async_write(stream, response, asio::redirect_error(asio::use_awaitable, problem));
        if (result.status != 413 && result.status != 431) --busy;
        if (problem) co_return;
    }
}

asio::awaitable<void> Server::Impl::serve(Tcp::socket socket)
{
    boost::system::error_code problem;
    const auto remote = socket.remote_endpoint(problem);
    const Peer peer = problem ? Peer{} : Peer{remote.address().to_string(), remote.port()};
    socket.set_option(Tcp::no_delay{true}, problem);
    if (options.certificate_file.empty()) {
        beast::tcp_stream stream{std::move(socket)};
        co_await answer(stream, peer);
        co_return;
    }
    TlsStream stream{std::move(socket), tls};
    beast::get_lowest_layer(stream).expires_after(options.handshake_timeout);
    co_await stream.async_handshake(asio::ssl::stream_base::server,
                                    asio::redirect_error(asio::use_awaitable, problem));
    if (problem) co_return;
    co_await answer(stream, peer);
    if (!beast::get_lowest_layer(stream).socket().is_open()) co_return;
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds{1});
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, problem));
}

asio::awaitable<void> Server::Impl::accept()
{
    for (;;) {
        boost::system::error_code problem;
        auto socket = co_await acceptor.async_accept(asio::make_strand(io),
                                                     asio::redirect_error(asio::use_awaitable, problem));
        if (problem == asio::error::operation_aborted) co_return;
        if (problem) {
            // Out of descriptors, most likely: others close theirs meanwhile.
            asio::steady_timer pause{io, std::chrono::milliseconds{50}};
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, problem));
            continue;
        }
        auto executor = socket.get_executor();
        asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
    }
}

Result<void> Server::Impl::prepare()
{
    boost::system::error_code problem;
    if (!options.certificate_file.empty()) {
        tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 |
                        asio::ssl::context::no_sslv3);
        tls.use_certificate_chain_file(options.certificate_file, problem);
        if (problem)
            return fail(Errc::config, fmt::format("{}: {}", options.certificate_file, problem.message()),
                        "the TLS certificate has to be PEM, end entity first", "tlsCertificate");
        tls.use_private_key_file(options.key_file, asio::ssl::context::pem, problem);
        if (problem)
            return fail(Errc::config, fmt::format("{}: {}", options.key_file, problem.message()),
                        "the key has to be that of the TLS certificate", "tlsKey");
    }
    const auto address = asio::ip::make_address(options.address, problem);
    if (problem)
        return fail(Errc::config, fmt::format("{}: not an address to listen on", options.address), {},
                    "badAddress");
    const Tcp::endpoint endpoint{address, options.port};
    acceptor.open(endpoint.protocol(), problem);
    acceptor.set_option(Tcp::acceptor::reuse_address{true}, problem);
    acceptor.bind(endpoint, problem);
    if (!problem) acceptor.listen(asio::socket_base::max_listen_connections, problem);
    if (problem)
        return fail(Errc::cannot_create,
                    fmt::format("listening on {}:{}: {}", options.address, options.port, problem.message()),
                    "does another program listen there?", "listen");
    return {};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Handler handler)
{
    auto impl = std::make_unique<Impl>();
    impl->options = options;
    impl->handler = std::move(handler);
    ACMETOOL_CHECK(impl->prepare());
    asio::co_spawn(impl->io, impl->accept(), asio::detached);
    for (unsigned i = 0; i < options.threads; ++i)
        impl->threads.emplace_back([raw = impl.get()] { raw->io.run(); });
    return std::unique_ptr<Server>{new Server(std::move(impl))};
}

Server::~Server()
{
    impl_->io.stop();
    impl_->threads.clear(); // joins
}

std::uint16_t Server::port() const
{
    return impl_->acceptor.local_endpoint().port();
}

void Server::drain(std::chrono::seconds limit)
{
    impl_->draining = true;
    asio::post(impl_->io, [impl = impl_.get()] {
        boost::system::error_code none;
        impl->acceptor.close(none);
    });
    const auto end = std::chrono::steady_clock::now() + limit;
    while (impl_->busy > 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    impl_->io.stop();
}

} // namespace acmetool::http
