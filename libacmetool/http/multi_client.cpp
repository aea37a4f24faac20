#include "http/multi_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <vector>

#include "base/descriptor.h"
#include "http/transfer.h"
#include "net/address_rules.h"

namespace acmetool::http
{
namespace
{

constexpr auto kNever = MultiClient::Clock::time_point::max();
constexpr std::size_t kEventsAtOnce = 32;

struct MultiDeleter {
    void operator()(CURLM* multi) const noexcept { (*curl_library())->multi_cleanup(multi); }
};

struct Waiting {
    Request request;
    MultiClient::Done done;
};

struct Running {
    Request request;
    MultiClient::Done done;
    Transfer transfer;
    CurlEasy easy;

    Running(const CurlLibrary& curl, const ClientOptions& options, Waiting waiting)
        : request(std::move(waiting.request)), done(std::move(waiting.done)),
          transfer(curl, options, request, nullptr)
    {
    }
};

curl_socket_t open_public_socket(void* /*user*/, curlsocktype /*purpose*/, curl_sockaddr* address)
{
    if (!net::is_public_address(address->addr)) return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype, address->protocol);
}

} // namespace

struct MultiClient::Impl {
    const CurlLibrary& curl;
    ClientOptions options;
    unsigned most = 1;
    bool public_only = false;
    base::Descriptor sockets{epoll_create1(EPOLL_CLOEXEC)}; ///< those of `multi`
    Clock::time_point timeout = kNever;                     ///< when `multi` has something to do by itself
    std::unique_ptr<CURLM, MultiDeleter> multi;
    std::deque<Waiting> waiting;
    std::map<CURL*, std::unique_ptr<Running>> running;
    std::vector<CurlEasy> spare; ///< handles to use again

    Impl(const CurlLibrary& library, ClientOptions client_options)
        : curl(library), options(std::move(client_options))
    {
    }

    static int watch_socket(CURL* easy, curl_socket_t socket, int what, void* user, void* known);
    static int set_timeout(CURLM* multi, long milliseconds, void* user);
    bool begin();
    void act(base::Milliseconds longest);
    void collect();
};

/// curl says what it waits for; what it assigns to a socket is not null once the socket is known.
int MultiClient::Impl::watch_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* user, void* known)
{
    auto& self = *static_cast<Impl*>(user);
    epoll_event event{};
    event.data.fd = socket;
    if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(self.sockets.get(), EPOLL_CTL_DEL, socket, nullptr);
        return 0;
    }
    if (known == nullptr) self.curl.multi_assign(self.multi.get(), socket, &self);
    const int operation = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return epoll_ctl(self.sockets.get(), operation, socket, &event);
}

int MultiClient::Impl::set_timeout(CURLM* /*multi*/, long milliseconds, void* user)
{
    static_cast<Impl*>(user)->timeout =
        milliseconds < 0 ? kNever : Clock::now() + base::Milliseconds{milliseconds};
    return 0;
}

/// Starts what there is room for. True if a request failed at once.
bool MultiClient::Impl::begin()
{
    bool failed_any = false;
    const auto fail_one = [&failed_any](Running& one, tl::unexpected<Error> error) {
        failed_any = true;
        one.done(std::move(error));
    };
    while (!waiting.empty() && running.size() < most) {
        auto next = std::make_unique<Running>(curl, options, std::move(waiting.front()));
        waiting.pop_front();
        if (auto good = check_url(options, next->request); !good) {
            fail_one(*next, fail(good.error()));
            continue;
        }
        if (auto good = check_ca_file(options); !good) {
            fail_one(*next, fail(good.error()));
            continue;
        }
        if (sockets.get() < 0 || !multi) {
            fail_one(*next, fail(Errc::temporary, "the system has no more file descriptors"));
            continue;
        }
        if (spare.empty()) {
            next->easy.reset(curl.easy_init());
        } else {
            next->easy = std::move(spare.back());
            spare.pop_back();
            curl.easy_reset(next->easy.get());
        }
        CURL* easy = next->easy.get();
        if (easy == nullptr) {
            fail_one(*next, fail(Errc::internal, "libcurl cannot be initialised"));
            continue;
        }
        next->transfer.prepare(easy);
        if (public_only) {
            // Checked when the socket is created, because the name may resolve differently the next time.
            curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_public_socket);
            curl.easy_setopt(easy, CURLOPT_PROXY, "");
        }
        curl.multi_add_handle(multi.get(), easy);
        running.emplace(easy, std::move(next));
    }
    return failed_any;
}

/// Does what the sockets are ready for, and what is due.
void MultiClient::Impl::act(base::Milliseconds longest)
{
    std::array<epoll_event, kEventsAtOnce> ready{};
    const int count = epoll_wait(sockets.get(), ready.data(), ready.size(),
                                 base::milliseconds_until(std::min(timeout, Clock::now() + longest)));
    int active = 0;
    for (int i = 0; i < count; ++i) {
        const auto& event = ready.at(static_cast<std::size_t>(i));
        int what = 0;
        if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
        if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
        if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
        curl.multi_socket_action(multi.get(), event.data.fd, what, &active);
    }
    if (timeout > Clock::now()) return;
    timeout = kNever;
    curl.multi_socket_action(multi.get(), CURL_SOCKET_TIMEOUT, 0, &active);
}

void MultiClient::Impl::collect()
{
    int left = 0;
    while (const CURLMsg* message = curl.multi_info_read(multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL* easy = message->easy_handle;
        const CURLcode code = message->data.result;
        auto found = running.extract(easy);
        curl.multi_remove_handle(multi.get(), easy);
        if (found.empty()) continue;
        auto& ended = *found.mapped();
        auto outcome = ended.transfer.finish(easy, code);
        spare.push_back(std::move(ended.easy));
        ended.done(std::move(outcome));
    }
}

MultiClient::MultiClient(const CurlLibrary& curl, ClientOptions options, unsigned most_in_flight,
                         bool public_only)
    : impl_(std::make_unique<Impl>(curl, with_defaults(std::move(options))))
{
    impl_->most = std::max(most_in_flight, 1U);
    impl_->public_only = public_only;
    impl_->multi.reset(impl_->curl.multi_init());
    const auto connections = static_cast<long>(impl_->most);
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_SOCKETFUNCTION, Impl::watch_socket);
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_SOCKETDATA, impl_.get());
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_TIMERFUNCTION, Impl::set_timeout);
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_TIMERDATA, impl_.get());
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    impl_->curl.multi_setopt(impl_->multi.get(), CURLMOPT_MAXCONNECTS, connections);
}

MultiClient::~MultiClient()
{
    for (const auto& [easy, running] : impl_->running)
        impl_->curl.multi_remove_handle(impl_->multi.get(), easy);
}

void MultiClient::send(Request request, Done done)
{
    impl_->waiting.push_back({std::move(request), std::move(done)});
}

void MultiClient::run(base::Milliseconds longest)
{
    // What failed at once may be all that the caller waits for.
    if (impl_->begin()) longest = base::Milliseconds{0};
    impl_->act(longest);
    impl_->collect();
    impl_->begin();
}

int MultiClient::descriptor() const
{
    return impl_->sockets.get();
}

MultiClient::Clock::time_point MultiClient::due() const
{
    const bool can_begin = !impl_->waiting.empty() && impl_->running.size() < impl_->most;
    return can_begin ? Clock::time_point{} : impl_->timeout;
}

std::size_t MultiClient::size() const
{
    return impl_->running.size() + impl_->waiting.size();
}

} // namespace acmetool::http
