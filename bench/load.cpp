// bench-load --clients N --seconds S --ca-file FILE --name NAME --account FILE [--account FILE]...
//
// Orders certificates for NAME, on which each account holds a valid authorization, from N threads with a
// connection each; the accounts are dealt out in turn. Prints one line: issuances, issuances per second,
// median and 99th percentile of the milliseconds that one took, failures.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "acme/account.h"
#include "acme/order.h"
#include "acme/session.h"
#include "base/context.h"
#include "crypto/csr.h"
#include "http/client.h"

using namespace acmetool;
using Clock = std::chrono::steady_clock;

namespace
{

struct Options {
    unsigned clients = 1;
    std::chrono::seconds duration{5};
    std::string ca_file;
    std::string name;
    std::vector<std::string> accounts;
};

/// One thread's connection and account.
class Customer
{
public:
    Customer(const Options& options, const std::string& account) : http_(client_options(options), context_)
    {
        const auto file = acme::load_account(account);
        const auto key = file ? acme::load_account_key(acme::beside(account, file->key_file))
                              : Result<crypto::Key>{fail(file.error())};
        if (!key) return;
        session_.key = *key;
        session_.account_url = file->url;
        http::Request request;
        request.url = file->directory;
        const auto reply = http_.send(request);
        if (!reply) return;
        if (auto directory = acme::parse_directory(reply->body, file->directory))
            session_.directory = *directory;
        const auto certificate_key = crypto::generate_key("ec:P-256");
        if (!certificate_key) return;
        crypto::CsrOptions wanted;
        wanted.identifiers = {{"dns", options.name}};
        if (auto csr = crypto::build_csr(*certificate_key, wanted)) csr_ = *csr;
    }

    Result<void> order()
    {
        acme::OrderFlow flow{{csr_.identifiers, {}, {}, csr_.der, csr_.key},
                             acme::OrderFlow::Goal::downloaded};
        for (;;) {
            ACMETOOL_TRY(action, flow.next(session_.directory));
            if (const auto* send = std::get_if<acme::OrderFlow::Send>(&action))
                ACMETOOL_CHECK(flow.take(post(send->post), context_.now()));
            else if (const auto* pause = std::get_if<acme::OrderFlow::Pause>(&action))
                std::this_thread::sleep_for(pause->duration);
            else if (std::holds_alternative<acme::OrderFlow::Finished>(action))
                return {};
            else
                return fail(Errc::authorization_needed, "the account holds no valid authorization");
        }
    }

private:
    static http::ClientOptions client_options(const Options& options)
    {
        http::ClientOptions result;
        result.ca_file = options.ca_file;
        return result;
    }

    Result<acme::Reply> post(acme::Post post)
    {
        acme::Exchange exchange{session_, std::move(post)};
        while (!exchange.result()) {
            ACMETOOL_TRY(action, exchange.next());
            if (const auto* send = std::get_if<acme::Exchange::Send>(&action))
                exchange.take(http_.send(send->request), context_.now());
            else
                std::this_thread::sleep_for(std::get<acme::Exchange::Pause>(action).duration);
        }
        return *exchange.result();
    }

    base::Context context_;
    http::Client http_;
    acme::Session session_;
    crypto::Csr csr_;
};

struct Outcome {
    std::vector<double> milliseconds;
    unsigned failures = 0;
};

void work(const Options& options, const std::string& account, std::atomic<unsigned>& waiting,
          Outcome& outcome)
{
    Customer customer{options, account};
    if (const auto first = customer.order(); !first)
        std::fprintf(stderr, "bench-load: %s\n", first.error().message.c_str());
    --waiting; // connections stand and accounts work before the clock runs
    while (waiting > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    const auto end = Clock::now() + options.duration;
    for (auto begin = Clock::now(); begin < end && outcome.failures < 10;) {
        if (!customer.order()) ++outcome.failures;
        const auto now = Clock::now();
        outcome.milliseconds.push_back(std::chrono::duration<double, std::milli>(now - begin).count());
        begin = now;
    }
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const char* value = argv[i + 1];
        if (name == "--clients") options.clients = static_cast<unsigned>(std::atoi(value));
        if (name == "--seconds") options.duration = std::chrono::seconds{std::atoi(value)};
        if (name == "--ca-file") options.ca_file = value;
        if (name == "--name") options.name = value;
        if (name == "--account") options.accounts.emplace_back(value);
    }
    if (options.accounts.empty() || options.name.empty() || options.clients == 0) {
        std::fputs("bench-load: see the head of bench/load.cpp\n", stderr);
        return 64;
    }
    std::vector<Outcome> outcomes(options.clients);
    std::atomic<unsigned> waiting{options.clients};
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < options.clients; ++i)
            threads.emplace_back([&, i] {
                work(options, options.accounts[i % options.accounts.size()], waiting, outcomes[i]);
            });
    }
    std::vector<double> all;
    unsigned failures = 0;
    for (const auto& outcome : outcomes) {
        all.insert(all.end(), outcome.milliseconds.begin(), outcome.milliseconds.end());
        failures += outcome.failures;
    }
    std::sort(all.begin(), all.end());
    const auto rate = static_cast<double>(all.size()) / static_cast<double>(options.duration.count());
    std::printf("%zu %.1f %.1f %.1f %u\n", all.size(), rate, all[all.size() / 2], all[all.size() * 99 / 100],
                failures);
    return failures == 0 ? 0 : 1;
}
