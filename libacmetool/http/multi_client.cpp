#include "http/multi_client.h"

#include <sys/socket.h>

#include <deque>
#include <map>

#include "http/transfer.h"
#include "net/address_rules.h"

namespace acmetool::http
{
namespace
{

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
    std::unique_ptr<CURLM, MultiDeleter> multi;
    std::deque<Waiting> waiting;
    std::map<CURL*, std::unique_ptr<Running>> running;
    std::vector<CurlEasy> spare; ///< handles to use again

    Impl(const CurlLibrary& library, ClientOptions client_options)
        : curl(library), options(std::move(client_options))
    {
    }

    void begin();
    bool collect(); ///< true if a transfer ended
};

void MultiClient::Impl::begin()
{
    while (!waiting.empty() && running.size() < most) {
        auto next = std::make_unique<Running>(curl, options, std::move(waiting.front()));
        waiting.pop_front();
        if (auto good = check_url(options, next->request); !good) {
            next->done(fail(good.error()));
            continue;
        }
        if (auto good = check_ca_file(options); !good) {
            next->done(fail(good.error()));
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
            next->done(fail(Errc::internal, "libcurl cannot be initialised"));
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
}

bool MultiClient::Impl::collect()
{
    bool ended_any = false;
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
        ended_any = true;
    }
    return ended_any;
}

MultiClient::MultiClient(const CurlLibrary& curl, ClientOptions options, unsigned most_in_flight,
                         bool public_only)
    : impl_(std::make_unique<Impl>(curl, with_defaults(std::move(options))))
{
    impl_->most = std::max(most_in_flight, 1U);
    impl_->public_only = public_only;
    impl_->multi.reset(impl_->curl.multi_init());
    const auto connections = static_cast<long>(impl_->most);
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
    impl_->begin();
    int running = 0;
    impl_->curl.multi_perform(impl_->multi.get(), &running);
    // A completed transfer may have added another, which must be started before waiting.
    if (!impl_->collect() && longest.count() > 0) {
        impl_->curl.multi_poll(impl_->multi.get(), nullptr, 0, static_cast<int>(longest.count()), nullptr);
        impl_->curl.multi_perform(impl_->multi.get(), &running);
        impl_->collect();
    }
    impl_->begin();
}

void MultiClient::wake()
{
    impl_->curl.multi_wakeup(impl_->multi.get());
}

std::size_t MultiClient::size() const
{
    return impl_->running.size() + impl_->waiting.size();
}

} // namespace acmetool::http
