// bench-abuse basic|account --port N --ca FILE --connections N [--rounds N] [--seconds N] [--round-trip MS]
//
// What strangers do to others' waiting times at a server on 127.0.0.1. In each of ROUNDS rounds one client
// asks for /.well-known/est/cacerts (basic) or /directory (account), on a new connection each time, SECONDS
// long alone, and SECONDS long beside N connections that ask again MS (20) after they were answered, as over
// a network:
//
//   basic    /csrattrs with a wrong password, another one each time, of a user that is there and one that is
//            not
//   account  newAccount with an RSA key of 8192 bits, the modulus a prime, without a nonce or a signature
//
// Prints one line of medians: p50 and p99 in ms alone, p50 and p99 beside the flood, requests of the flood
// that were answered a second, the most frequent status among their answers.
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

#include "common.h"

using namespace bench;

namespace
{

struct Options {
    bool accounts = false;
    std::uint16_t port = 0;
    std::string ca;
    unsigned connections = 1;
    unsigned rounds = 5;
    unsigned seconds = 5;
    std::chrono::milliseconds round_trip{20};
};

std::string base64(std::string_view text, bool url)
{
    std::string out(4 * (text.size() / 3 + 1) + 1, '\0');
    out.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                                        reinterpret_cast<const unsigned char*>(text.data()),
                                                        static_cast<int>(text.size()))));
    if (!url) return out;
    out.erase(out.find_last_not_of('=') + 1);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    return out;
}

class Connection
{
public:
    Connection(SSL_CTX* context, std::uint16_t port) : fd_(connect_to(port)), ssl_(SSL_new(context))
    {
        SSL_set_fd(ssl_.get(), fd_);
        if (SSL_connect(ssl_.get()) != 1) give_up("handshake");
    }
    ~Connection() { close(fd_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// The status; 0 where the connection ended.
    int ask(const std::string& request)
    {
        if (SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) <= 0) return 0;
        std::string answer;
        std::size_t size = std::string::npos;
        while (answer.size() < size) {
            std::array<char, 16384> octets{};
            const int got = SSL_read(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
            if (got <= 0) return 0;
            answer.append(octets.data(), static_cast<std::size_t>(got));
            const auto end = answer.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            const auto* length = strcasestr(answer.c_str(), "content-length:");
            size = end + 4 + (length != nullptr ? std::strtoul(length + 15, nullptr, 10) : 0);
        }
        closed_ = strcasestr(answer.c_str(), "connection: close") != nullptr;
        return std::atoi(answer.c_str() + 9);
    }
    bool closed() const { return closed_; }

private:
    int fd_;
    Ssl ssl_;
    bool closed_ = false;
};

std::string wrong_password(unsigned number)
{
    const auto credentials =
        std::string{number % 2 == 0 ? "swan" : "nobody"} + ":wrong" + std::to_string(number);
    return "GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " +
           base64(credentials, false) + "\r\n\r\n";
}

std::string new_account(std::uint16_t port)
{
    const Owned<BIGNUM, BN_free> prime{BN_get_rfc3526_prime_8192(nullptr)};
    std::string modulus(1024, '\0');
    BN_bn2bin(prime.get(), reinterpret_cast<unsigned char*>(modulus.data()));
    const auto host = "127.0.0.1:" + std::to_string(port);
    const auto header = R"({"alg":"RS256","nonce":"none","url":"https://)" + host +
                        R"(/newAccount","jwk":{"kty":"RSA","e":"AQAB","n":")" + base64(modulus, true) +
                        "\"}}";
    const auto body = R"({"protected":")" + base64(header, true) + R"(","payload":"e30","signature":"AAAA"})";
    return "POST /newAccount HTTP/1.1\r\nHost: " + host +
           "\r\nContent-Type: application/jose+json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

/// Connections that ask until they are told to stop.
class Flood
{
public:
    Flood(const Options& options, SSL_CTX* context)
    {
        for (unsigned i = 0; i < options.connections; ++i)
            threads_.emplace_back([this, &options, context, i] {
                const auto account = new_account(options.port);
                std::map<int, unsigned> statuses;
                for (unsigned number = i; !stop_;) {
                    Connection connection{context, options.port};
                    while (!stop_ && !connection.closed()) {
                        number += options.connections;
                        std::this_thread::sleep_for(options.round_trip);
                        const int status =
                            connection.ask(options.accounts ? account : wrong_password(number));
                        if (status == 0) break;
                        ++statuses[status];
                    }
                }
                const std::lock_guard lock{mutex_};
                for (const auto& [status, count] : statuses)
                    statuses_[status] += count;
            });
    }
    /// Answers by status.
    std::map<int, unsigned> end()
    {
        stop_ = true;
        threads_.clear();
        return statuses_;
    }

private:
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::map<int, unsigned> statuses_;
    std::vector<std::jthread> threads_;
};

std::vector<double> probe(const Options& options, SSL_CTX* context)
{
    const std::string request = std::string{"GET "} +
                                (options.accounts ? "/directory" : "/.well-known/est/cacerts") +
                                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::vector<double> took;
    const auto end = Clock::now() + std::chrono::seconds{options.seconds};
    while (Clock::now() < end) {
        const auto begin = Clock::now();
        if (Connection{context, options.port}.ask(request) != 200)
            give_up("the client that was to be answered");
        took.push_back(ms_since(begin));
    }
    return took;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    options.accounts = argc > 1 && std::string_view{argv[1]} == "account";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const auto number = static_cast<unsigned>(std::atoi(argv[i + 1]));
        if (name == "--port") options.port = static_cast<std::uint16_t>(number);
        if (name == "--ca") options.ca = argv[i + 1];
        if (name == "--connections") options.connections = number;
        if (name == "--rounds") options.rounds = number;
        if (name == "--seconds") options.seconds = number;
        if (name == "--round-trip") options.round_trip = std::chrono::milliseconds{number};
    }
    if (options.port == 0 || options.ca.empty() || options.rounds == 0)
        give_up("see the head of bench/abuse.cpp");
    const Context context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context.get(), options.ca.c_str()) != 1) give_up(options.ca);
    std::array<std::vector<double>, 4> figures;
    std::map<int, unsigned> statuses;
    for (unsigned round = 0; round < options.rounds; ++round) {
        const auto quiet = probe(options, context.get());
        Flood flood{options, context.get()};
        std::this_thread::sleep_for(std::chrono::seconds{1});
        const auto beside = probe(options, context.get());
        for (const auto& [status, count] : flood.end())
            statuses[status] += count;
        figures[0].push_back(percentile(quiet, 50));
        figures[1].push_back(percentile(quiet, 99));
        figures[2].push_back(percentile(beside, 50));
        figures[3].push_back(percentile(beside, 99));
    }
    unsigned answered = 0;
    unsigned most = 0;
    int status = 0;
    for (const auto& [one, count] : statuses) {
        answered += count;
        if (count > most) status = one;
        most = std::max(most, count);
    }
    for (const auto& values : figures)
        std::printf("%.2f ", percentile(values, 50));
    std::printf("%u %d\n", answered / (options.rounds * (options.seconds + 1)), status);
}
