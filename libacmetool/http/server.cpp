#include "http/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fmt/core.h>

#include "base/text.h"
#include "base/thread.h"
#include "base/time.h"
#include "http/connection_deadline.h"
#include "http/connection_gate.h"
#include "http/proxy_header.h"
#include "http/request_rules.h"
#include "http/text_response.h"
#include "http/tls_context.h"
#include "net/address_range.h"

namespace acmetool::http
{
namespace
{

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Tcp = asio::ip::tcp;
using TlsStream = beast::ssl_stream<Tcp::socket>;
using Parser = bhttp::request_parser<bhttp::string_body>;

constexpr std::size_t kMostEmptyLines = 16; ///< octets of empty lines before a request
/// Octets read and discarded after a refusal, so that the client receives it before the connection is reset.
constexpr std::size_t kLingerOctets = 1U << 20U;
constexpr std::chrono::seconds kLingerTime{2};
constexpr std::size_t kLongestWords = 200; ///< of the TLS library

struct Peer {
    std::string address;
    std::uint16_t port = 0;
};

/// A socket that listens on "::" has IPv4 clients with mapped addresses: limits and logs must use the IPv4
/// address, whichever socket accepted the connection.
Peer peer_at(const Tcp::endpoint& remote)
{
    const auto text = remote.address().to_string();
    return {net::canonical_address(text).value_or(text), remote.port()};
}

Headers headers_of(const bhttp::fields& fields)
{
    Headers headers;
    for (const auto& field : fields)
        headers.emplace_back(base::to_lower(field.name_string()), field.value());
    return headers;
}

ServerRequest take_request(Parser& parser, const Peer& peer, std::shared_ptr<const TlsFacts> tls)
{
    auto message = parser.release();
    ServerRequest request;
    request.method = message.method_string();
    request.target = origin_form(message.target());
    request.headers = headers_of(message);
    request.body = std::move(message.body());
    request.peer = peer.address;
    request.peer_port = peer.port;
    request.tls = std::move(tls);
    return request;
}

bhttp::response<bhttp::string_body> make_response(ServerResponse answer, bool keep, bool head)
{
    bhttp::response<bhttp::string_body> response{static_cast<bhttp::status>(answer.status), 11};
    response.set(bhttp::field::date, base::to_http_date(std::chrono::floor<std::chrono::seconds>(
                                         std::chrono::system_clock::now())));
    for (const auto& [name, value] : answer.headers)
        response.insert(name, value);
    response.keep_alive(keep);
    const auto size = answer.body.size();
    if (!head) response.body() = std::move(answer.body);
    response.prepare_payload();
    response.content_length(size);
    if (answer.status == 204) response.erase(bhttp::field::content_length);
    return response;
}

/// Drops the empty lines before a request (RFC 9112 section 2.2). Returns their octets.
std::size_t drop_empty_lines(beast::flat_buffer& buffer)
{
    const std::string_view octets{static_cast<const char*>(buffer.data().data()), buffer.size()};
    const auto count = std::min(octets.find_first_not_of("\r\n"), octets.size());
    buffer.consume(count);
    return count;
}

/// The answer to a malformed request; nothing if the connection ended or timed out.
std::optional<ServerResponse> refusal_of(const boost::system::error_code& problem)
{
    if (problem == bhttp::error::body_limit) return text_response(413, "the body is too large");
    if (problem == bhttp::error::header_limit) return text_response(431, "the header fields are too large");
    if (problem == bhttp::error::end_of_stream || problem == bhttp::error::partial_message) return {};
    if (problem.category() == bhttp::make_error_code(bhttp::error::bad_method).category())
        return text_response(400, "the request is not HTTP/1.1");
    return {};
}

HandshakeFailure failure_of(const boost::system::error_code& problem, const std::string& address,
                            bool is_late)
{
    if (is_late) return {address, HandshakeCause::timeout, {}};
    if (problem.category() != asio::error::get_ssl_category()) return {address, HandshakeCause::closed, {}};
    return {address, handshake_cause(static_cast<unsigned long>(problem.value())),
            base::printable(problem.message(), kLongestWords)};
}

bool is_proxy(const std::string& address, const ServerOptions& options)
{
    return std::any_of(options.proxies.begin(), options.proxies.end(),
                       [&](const net::AddressRange& range) { return range.contains(address); });
}

/// Reads the PROXY header from a connection, and not an octet more. Empty address: the connection is the
/// proxy's. The words of errors are empty if nothing was sent, as when a balancer looks whether the port is
/// open.
asio::awaitable<Result<Peer>> read_proxy_header(Tcp::socket& socket)
{
    Bytes octets;
    for (;;) {
        const auto header = parse_proxy_header(octets);
        if (!header) co_return fail(header.error());
        if (header->more == 0) co_return Peer{header->address, header->port};
        const auto had = octets.size();
        octets.resize(had + header->more);
        boost::system::error_code problem;
        const auto count =
            co_await asio::async_read(socket, asio::buffer(octets.data() + had, octets.size() - had),
                                      asio::redirect_error(asio::use_awaitable, problem));
        if (problem) {
            const bool sent_nothing = had == 0 && count == 0;
            co_return fail(Errc::protocol, sent_nothing ? "" : "PROXY header: the connection ended in it");
        }
    }
}

/// Counts requests, each from its last octet to the last of its answer.
class UnderWay
{
public:
    void begin()
    {
        const std::lock_guard lock{mutex_};
        ++count_;
    }
    void end()
    {
        const std::lock_guard lock{mutex_};
        if (--count_ == 0) none_.notify_all();
    }
    /// Returns when there is none, or after `limit`.
    void wait(std::chrono::seconds limit)
    {
        std::unique_lock lock{mutex_};
        none_.wait_for(lock, limit, [this] { return count_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable none_;
    unsigned count_ = 0;
};

/// One request under way.
class Busy
{
public:
    explicit Busy(UnderWay& all) : all_(all) { all_.begin(); }
    ~Busy() { all_.end(); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    UnderWay& all_;
};

/// One thread and the connections that it serves from start to end, so that no state is passed between
/// threads and no other thread must be woken. Other threads post tasks to it.
class ServerThread final : public base::Executor
{
public:
    asio::io_context io{1};

    bool post(Task task) override
    {
        {
            const std::lock_guard lock{mutex_};
            if (stopped_) return false;
            tasks_.push_back(std::move(task));
            if (tasks_.size() > 1) return true;
        }
        // Without the lock, for which the thread would wait as soon as it wakes.
        asio::post(io, [this] { run_tasks(); });
        return true;
    }
    /// After the thread has ended. A task that did not run may hold what holds this.
    void drop_tasks()
    {
        std::vector<Task> dropped;
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        dropped.swap(tasks_);
    }

private:
    void run_tasks()
    {
        std::vector<Task> due;
        {
            const std::lock_guard lock{mutex_};
            due.swap(tasks_);
        }
        for (auto& task : due)
            task();
    }

    asio::executor_work_guard<asio::io_context::executor_type> busy_{io.get_executor()};
    std::mutex mutex_;
    std::vector<Task> tasks_;
    bool stopped_ = false;
};

/// Settings of a connection for its whole life.
struct Settings {
    ServerOptions options;
    std::unique_ptr<asio::ssl::context> tls; ///< null: plain HTTP
};

/// Receives an answer and wakes the connection's coroutine if it waits.
struct Slot {
    explicit Slot(const asio::any_io_executor& on) : executor(on), waker(on)
    {
        waker.expires_at(std::chrono::steady_clock::time_point::max());
    }

    asio::any_io_executor executor; ///< the connection's thread
    asio::steady_timer waker;       ///< only used on that thread
    std::mutex mutex;
    std::optional<ServerResponse> response;
    bool waited_for = false;
};

} // namespace

/// The order of the members matters: what the workers' coroutines refer to is destroyed after them.
struct Server::Impl : std::enable_shared_from_this<Impl> {
    AsyncHandler handler;
    ConnectionGate gate;
    std::atomic<bool> draining{false};
    UnderWay busy;
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> turned_away{0};
    std::atomic<std::uint64_t> handshake_failures{0};
    std::atomic<std::uint64_t> proxy_failures{0};
    std::atomic<std::uint64_t> pauses{0};
    std::mutex settings_mutex;
    std::shared_ptr<const Settings> settings; ///< for new connections; replaced by a reload
    std::vector<std::shared_ptr<ServerThread>> workers;
    std::optional<Tcp::acceptor> acceptor; ///< the first worker's
    std::vector<std::thread> threads;

    std::shared_ptr<const Settings> current()
    {
        const std::lock_guard lock{settings_mutex};
        return settings;
    }
    Result<std::function<void()>> prepare(const ServerOptions& options);
    Result<void> listen(const ServerOptions& options);
    void stop()
    {
        for (const auto& worker : workers)
            worker->io.stop();
    }
    asio::awaitable<void> accept();
    asio::awaitable<void> serve(Tcp::socket socket, const std::shared_ptr<ServerThread>& thread, Peer peer,
                                ConnectionPass pass, std::shared_ptr<const Settings> chosen);
    template <class Stream>
    asio::awaitable<boost::system::error_code>
    read(Stream& stream, ConnectionDeadline& deadline, beast::flat_buffer& buffer, Parser& parser,
         const ServerOptions& options, std::string& objection) const;
    template <class Stream>
    asio::awaitable<void> answer(Stream& stream, ConnectionDeadline& deadline,
                                 const std::shared_ptr<ServerThread>& thread, const Peer& peer,
                                 std::shared_ptr<const TlsFacts> facts, const ServerOptions& options);
    template <class Stream>
    asio::awaitable<void> linger(Stream& stream) const;
    asio::awaitable<ServerResponse> ask(ServerRequest request, asio::any_io_executor executor);
};

namespace
{

/// The responder of one request. Keeps the server's state alive, so that a late answer is ignored safely.
template <class Impl>
class Ticket
{
public:
    Ticket(std::shared_ptr<Impl> impl, std::shared_ptr<Slot> slot)
        : impl_(std::move(impl)), slot_(std::move(slot))
    {
    }
    ~Ticket()
    {
        if (!given_) give(text_response(500, "internal error"));
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    void give(ServerResponse response)
    {
        const std::lock_guard lock{slot_->mutex};
        if (given_) return;
        given_ = true;
        slot_->response = std::move(response);
        if (slot_->waited_for) asio::dispatch(slot_->executor, [slot = slot_] { slot->waker.cancel(); });
    }

private:
    std::shared_ptr<Impl> impl_; ///< destroyed last
    std::shared_ptr<Slot> slot_;
    bool given_ = false;
};

} // namespace

asio::awaitable<ServerResponse> Server::Impl::ask(ServerRequest request, asio::any_io_executor executor)
{
    auto slot = std::make_shared<Slot>(executor);
    {
        auto ticket = std::make_shared<Ticket<Impl>>(shared_from_this(), slot);
        try {
            handler(std::move(request),
                    [ticket](ServerResponse response) { ticket->give(std::move(response)); });
        } catch (const std::exception&) {
            ticket->give(text_response(500, "internal error"));
        }
    }
    bool wait = false;
    {
        const std::lock_guard lock{slot->mutex};
        wait = !slot->response;
        slot->waited_for = wait;
    }
    if (wait) {
        boost::system::error_code cancelled;
        co_await slot->waker.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
    const std::lock_guard lock{slot->mutex};
    co_return std::move(*slot->response);
}

template <class Stream>
asio::awaitable<boost::system::error_code>
Server::Impl::read(Stream& stream, ConnectionDeadline& deadline, beast::flat_buffer& buffer, Parser& parser,
                   const ServerOptions& options, std::string& objection) const
{
    boost::system::error_code problem;
    deadline.set(options.idle_timeout);
    for (std::size_t skipped = drop_empty_lines(buffer); buffer.size() == 0;
         skipped += drop_empty_lines(buffer)) {
        if (skipped > kMostEmptyLines) co_return bhttp::make_error_code(bhttp::error::bad_method);
        const auto got = co_await stream.async_read_some(buffer.prepare(4096),
                                                         asio::redirect_error(asio::use_awaitable, problem));
        if (problem) co_return problem;
        buffer.commit(got);
    }
    // One deadline for the whole request, however slowly it arrives.
    deadline.set(options.request_timeout);
    co_await bhttp::async_read_header(stream, buffer, parser,
                                      asio::redirect_error(asio::use_awaitable, problem));
    if (problem) co_return problem;
    objection = objection_to(headers_of(parser.get()), static_cast<int>(parser.get().version() % 10));
    if (!objection.empty()) co_return problem;
    if (base::equals_ignoring_case(parser.get()[bhttp::field::expect], "100-continue")) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(stream, asio::buffer(kContinue),
                                   asio::redirect_error(asio::use_awaitable, problem));
        if (problem) co_return problem;
    }
    co_await bhttp::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, problem));
    co_return problem;
}

template <class Stream>
asio::awaitable<void> Server::Impl::linger(Stream& stream) const
{
    std::string scratch(16384, '\0');
    std::size_t total = 0;
    boost::system::error_code problem;
    while (!problem && total < kLingerOctets)
        total += co_await stream.async_read_some(asio::buffer(scratch),
                                                 asio::redirect_error(asio::use_awaitable, problem));
}

template <class Stream>
asio::awaitable<void> Server::Impl::answer(Stream& stream, ConnectionDeadline& deadline,
                                           const std::shared_ptr<ServerThread>& thread, const Peer& peer,
                                           std::shared_ptr<const TlsFacts> facts,
                                           const ServerOptions& options)
{
    beast::flat_buffer buffer{options.body_limit + options.header_limit + 4096};
    bool keep = true;
    for (unsigned served = 1; keep && !draining; ++served) {
        Parser parser;
        parser.body_limit(options.body_limit);
        parser.header_limit(static_cast<std::uint32_t>(options.header_limit));
        std::string objection;
        auto problem = co_await read(stream, deadline, buffer, parser, options, objection);
        if (problem || !objection.empty()) {
            auto refusal = problem ? refusal_of(problem) : text_response(400, objection);
            if (!refusal) co_return;
            deadline.set(options.request_timeout);
            auto response = make_response(std::move(*refusal), false, false);
            co_await bhttp::async_write(stream, response, asio::redirect_error(asio::use_awaitable, problem));
            deadline.set(kLingerTime);
            if (!problem) co_await linger(stream);
            co_return;
        }
        const Busy counted{busy};
        const bool head = parser.get().method() == bhttp::verb::head;
        keep = parser.get().keep_alive();
        const bool is_http_10 = parser.get().version() == 10;
        auto request = take_request(parser, peer, facts);
        request.executor = thread;
        deadline.clear();
        auto result = co_await ask(std::move(request), stream.get_executor());
        if (result.drop) {
            beast::get_lowest_layer(stream).close(problem);
            co_return;
        }
        deadline.set(options.request_timeout);
        const auto wish = find(result.headers, "connection");
        keep = keep && !draining && served < options.requests_per_connection &&
               !(wish && base::equals_ignoring_case(*wish, "close"));
        auto response = make_response(std::move(result), keep, head);
        if (keep && is_http_10) response.set(bhttp::field::connection, "keep-alive");
        co_await bhttp::async_write(stream, response, asio::redirect_error(asio::use_awaitable, problem));
        if (problem) co_return;
    }
}

asio::awaitable<void> Server::Impl::serve(Tcp::socket socket, const std::shared_ptr<ServerThread>& thread,
                                          Peer peer, ConnectionPass pass,
                                          std::shared_ptr<const Settings> chosen)
{
    const auto& options = chosen->options;
    boost::system::error_code problem;
    socket.set_option(Tcp::no_delay{true}, problem);
    ConnectionDeadline deadline{socket};
    deadline.set(options.handshake_timeout);
    if (is_proxy(peer.address, options)) {
        auto named = co_await read_proxy_header(socket);
        if (!named) {
            ++proxy_failures;
            if (options.handshake_failed && !named.error().message.empty())
                options.handshake_failed({peer.address, HandshakeCause::proxy_header, named.error().message});
            co_return;
        }
        if (!named->address.empty()) {
            peer = std::move(*named);
            if (!pass.take_for(peer.address, options)) {
                ++turned_away;
                co_return;
            }
        }
    }
    if (!chosen->tls) {
        co_await answer(socket, deadline, thread, peer, nullptr, options);
        co_return;
    }
    TlsStream stream{std::move(socket), *chosen->tls};
    auto& tcp = beast::get_lowest_layer(stream);
    deadline.guard(tcp);
    deadline.set(options.handshake_timeout);
    co_await stream.async_handshake(asio::ssl::stream_base::server,
                                    asio::redirect_error(asio::use_awaitable, problem));
    if (problem) {
        ++handshake_failures;
        const bool sent_nothing = BIO_number_read(SSL_get_rbio(stream.native_handle())) == 0;
        if (options.handshake_failed && !sent_nothing)
            options.handshake_failed(failure_of(problem, peer.address, !tcp.is_open()));
        co_return;
    }
    co_await answer(stream, deadline, thread, peer, facts_of(stream.native_handle()), options);
    if (!tcp.is_open()) co_return;
    deadline.set(std::chrono::seconds{1});
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, problem));
}

asio::awaitable<void> Server::Impl::accept()
{
    for (std::size_t turn = 0;; ++turn) {
        boost::system::error_code problem;
        const auto& thread = workers[turn % workers.size()];
        auto socket =
            co_await acceptor->async_accept(thread->io, asio::redirect_error(asio::use_awaitable, problem));
        if (problem == asio::error::operation_aborted) co_return;
        if (problem == asio::error::connection_aborted) continue;
        if (problem) {
            // Out of descriptors: others have to be closed first.
            const auto chosen = current();
            if (pauses++ == 0 && chosen->options.out_of_descriptors) chosen->options.out_of_descriptors();
            asio::steady_timer pause{acceptor->get_executor(), std::chrono::milliseconds{50}};
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, problem));
            continue;
        }
        const auto remote = socket.remote_endpoint(problem);
        Peer peer;
        if (!problem) peer = peer_at(remote);
        auto chosen = current();
        auto pass = ConnectionPass::take(gate, chosen->options);
        // Behind a proxy, the client is known only after its PROXY header.
        if (!pass ||
            (!is_proxy(peer.address, chosen->options) && !pass->take_for(peer.address, chosen->options))) {
            ++turned_away;
            continue;
        }
        ++connections;
        auto executor = socket.get_executor();
        asio::co_spawn(executor,
                       serve(std::move(socket), thread, std::move(peer), std::move(*pass), std::move(chosen)),
                       asio::detached);
    }
}

Result<std::function<void()>> Server::Impl::prepare(const ServerOptions& options)
{
    auto made = std::make_shared<Settings>();
    made->options = options;
    if (!options.certificate_file.empty()) {
        ACMETOOL_TRY(context, make_server_context(options));
        made->tls = std::make_unique<asio::ssl::context>(context.release());
    }
    return [this, made = std::shared_ptr<const Settings>{std::move(made)}] {
        const std::lock_guard lock{settings_mutex};
        settings = made;
    };
}

Result<void> Server::Impl::listen(const ServerOptions& options)
{
    boost::system::error_code problem;
    const auto address = asio::ip::make_address(options.address, problem);
    if (problem)
        return fail(Errc::config, fmt::format("{}: not an address to listen on", options.address), {},
                    "badAddress");
    const Tcp::endpoint endpoint{address, options.port};
    acceptor.emplace(workers.front()->io);
    acceptor->open(endpoint.protocol(), problem);
    acceptor->set_option(Tcp::acceptor::reuse_address{true}, problem);
    acceptor->bind(endpoint, problem);
    if (!problem) acceptor->listen(asio::socket_base::max_listen_connections, problem);
    if (problem)
        return fail(Errc::cannot_create,
                    fmt::format("listening on {}:{}: {}", options.address, options.port, problem.message()),
                    "check whether another program already listens there", "listen");
    return {};
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, AsyncHandler handler)
{
    auto impl = std::make_shared<Impl>();
    impl->handler = std::move(handler);
    ACMETOOL_TRY(use, impl->prepare(options));
    use();
    for (unsigned i = 0; i < std::max(options.threads, 1U); ++i)
        impl->workers.push_back(std::make_shared<ServerThread>());
    // Asio opens what it waits with when the first socket is made, and throws if no descriptor is free then.
    for (const auto& worker : impl->workers)
        const Tcp::socket first{worker->io};
    ACMETOOL_CHECK(impl->listen(options));
    asio::co_spawn(impl->workers.front()->io, impl->accept(), asio::detached);
    for (const auto& worker : impl->workers)
        impl->threads.emplace_back(
            base::start_thread(options.thread_name, [raw = worker.get()] { raw->io.run(); }));
    return std::unique_ptr<Server>{new Server(std::move(impl))};
}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Handler handler)
{
    return start(options, AsyncHandler{[answer = std::move(handler)](const ServerRequest& request,
                                                                     const Responder& respond) {
                     respond(answer(request));
                 }});
}

Server::~Server()
{
    impl_->stop();
    for (auto& thread : impl_->threads)
        thread.join();
    for (const auto& worker : impl_->workers)
        worker->drop_tasks();
}

std::uint16_t Server::port() const
{
    boost::system::error_code closed;
    return impl_->acceptor->local_endpoint(closed).port();
}

ServerCounts Server::counts() const
{
    return {impl_->connections,    impl_->turned_away, impl_->handshake_failures,
            impl_->proxy_failures, impl_->pauses,      impl_->gate.open()};
}

Result<std::function<void()>> Server::prepare(const ServerOptions& options)
{
    return impl_->prepare(options);
}

void Server::drain(std::chrono::seconds limit)
{
    impl_->draining = true;
    asio::post(impl_->acceptor->get_executor(), [impl = impl_.get()] {
        boost::system::error_code none;
        impl->acceptor->close(none);
    });
    impl_->busy.wait(limit);
    impl_->stop();
}

} // namespace acmetool::http
