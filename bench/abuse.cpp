// bench-abuse FLOOD --port N [--ca FILE] --connections N [--pid N] [--rounds N] [--seconds N] [--round-trip
// MS]
//             [--ask TARGET] [--status N] [--post TARGET --type TYPE --body FILE [--cert FILE --key FILE]]
//
// What strangers do to others' waiting times at a server on 127.0.0.1. In each of ROUNDS rounds one client
// asks for TARGET, on a new connection each time, SECONDS long alone, and SECONDS long beside N connections
// that ask again MS (20) after they were answered, as over a network:
//
//   basic      /csrattrs with a wrong password, another one each time, of a user that is there and one that
//   is
//              not
//   account    newAccount with an RSA key of 8192 bits, the modulus a prime, without a nonce or a signature
//   handshake  TLS connections that are closed once they are established
//   post       a file, with a client certificate or without
//   radius     the beginnings of EAP-TEAP conversations, with a ClientHello, of which no more is heard
//   datagrams  the same without a right Message-Authenticator; each NAS sends without waiting
//
// The client that is to be answered expects STATUS (200). With radius and datagrams it is a NAS with the
// secret "radius-secret", whose device comes as far as the server's certificate and says no to it.
//
// Prints one line of medians: p50 and p99 in ms alone, p50 and p99 beside the flood, requests of the flood
// that were answered (datagrams: sent) a second, the most frequent status among their answers (0: none), and
// RSS in MiB of process PID before the first round, and before and after the last flood.
#include <openssl/hmac.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <string_view>
#include <utility>

#include "common.h"

using namespace bench;

namespace
{

struct Options {
    std::string flood;
    std::string pid;
    std::string ask = "/.well-known/est/cacerts";
    int status = 200;
    std::string post, type, body, certificate, key;
    std::uint16_t port = 0;
    std::string ca;
    bool radius() const { return flood == "radius" || flood == "datagrams"; }
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

std::string posted(const Options& options)
{
    std::ifstream file{options.body, std::ios::binary};
    if (!file) give_up(options.body);
    const std::string body{std::istreambuf_iterator<char>{file}, {}};
    return "POST " + options.post + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + options.type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string attribute(int type, std::string_view value)
{
    return std::string{static_cast<char>(type), static_cast<char>(value.size() + 2)} + std::string{value};
}

/// The first record of a TLS client.
std::string client_hello()
{
    const Context context{SSL_CTX_new(TLS_client_method())};
    const Ssl ssl{SSL_new(context.get())};
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl.get());
    SSL_do_handshake(ssl.get());
    char* octets = nullptr;
    const auto size = BIO_get_mem_data(out, &octets);
    return {octets, static_cast<std::size_t>(size)};
}

/// A NAS with one device behind it.
class Nas
{
public:
    Nas(std::uint16_t port, bool right) : right_(right), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
    }
    ~Nas() { close(fd_); }
    Nas(const Nas&) = delete;
    Nas& operator=(const Nas&) = delete;

    /// The device says who it is, sends its ClientHello and, if `ends`, Nak. The code of the last answer; 0:
    /// none.
    int converse(const std::string& hello, bool ends)
    {
        state_.clear();
        if (exchange(eap(1, "device")) != kChallenge) return 0;
        const auto code = exchange(eap(55, "\x01" + hello));
        return ends && code == kChallenge ? exchange(eap(3, std::string(1, '\0'))) : code;
    }
    void send_only() { static_cast<void>(send(packet(eap(1, "device")))); }

private:
    static constexpr int kChallenge = 11;
    static constexpr int kState = 24;
    static constexpr int kCallingStationId = 31;
    static constexpr int kEapMessage = 79;

    std::string eap(int type, const std::string& data) const
    {
        const auto size = data.size() + 5;
        return std::string{'\2', static_cast<char>(eap_identifier_), static_cast<char>(size >> 8U),
                           static_cast<char>(size), static_cast<char>(type)} +
               data;
    }
    std::string packet(const std::string& eap_packet)
    {
        std::string attributes = attribute(80, std::string(16, '\0'));
        for (std::size_t at = 0; at < eap_packet.size(); at += 253)
            attributes += attribute(kEapMessage, std::string_view{eap_packet}.substr(at, 253));
        if (!state_.empty()) attributes += attribute(kState, state_);
        attributes += attribute(kCallingStationId, "02-00-00-00-00-01");
        const auto size = 20 + attributes.size();
        std::string octets{'\1', static_cast<char>(++identifier_), static_cast<char>(size >> 8U),
                           static_cast<char>(size)};
        for (int i = 0; i < 16; ++i)
            octets += static_cast<char>(random_());
        octets += attributes;
        std::array<unsigned char, 16> mac{};
        HMAC(EVP_md5(), right_ ? "radius-secret" : "radius-guess!", 13,
             reinterpret_cast<const unsigned char*>(octets.data()), octets.size(), mac.data(), nullptr);
        std::copy(mac.begin(), mac.end(), octets.begin() + 22);
        return octets;
    }
    bool send(const std::string& octets) const { return ::send(fd_, octets.data(), octets.size(), 0) > 0; }
    int exchange(const std::string& eap_packet)
    {
        const auto octets = packet(eap_packet);
        for (int attempt = 0; attempt < 5; ++attempt) {
            send(octets);
            pollfd watched{fd_, POLLIN, 0};
            while (poll(&watched, 1, 2000) > 0) {
                std::array<char, 4096> reply{};
                const auto got = recv(fd_, reply.data(), reply.size(), 0);
                if (got < 20) break;
                if (reply[1] != octets[1]) continue; // to a repeated request
                read({reply.data(), static_cast<std::size_t>(got)});
                return reply[0];
            }
        }
        return 0;
    }
    void read(std::string_view reply)
    {
        bool first = true;
        for (std::size_t at = 20; at + 2 < reply.size();) {
            const auto size = static_cast<unsigned char>(reply[at + 1]);
            if (size < 2) return;
            if (reply[at] == kState) state_ = reply.substr(at + 2, size - 2U);
            if (reply[at] == kEapMessage && std::exchange(first, false) && size > 4)
                eap_identifier_ = static_cast<unsigned char>(reply[at + 3]);
            at += size;
        }
    }

    bool right_;
    int fd_;
    std::string state_;
    unsigned eap_identifier_ = 1;
    unsigned char identifier_ = 0;
    std::minstd_rand random_{std::random_device{}()};
};

/// Connections that ask until they are told to stop.
class Flood
{
public:
    Flood(const Options& options, SSL_CTX* context)
    {
        for (unsigned i = 0; i < options.connections; ++i)
            threads_.emplace_back([this, &options, context, i] {
                std::map<int, unsigned> statuses;
                if (options.radius())
                    run_nas(options, statuses);
                else if (options.flood == "handshake")
                    shake_hands(options, context, statuses);
                else
                    ask(options, context, i, statuses);
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
    void run_nas(const Options& options, std::map<int, unsigned>& statuses) const
    {
        const bool waits = options.flood == "radius";
        Nas nas{options.port, waits};
        const auto hello = client_hello();
        while (!stop_) {
            if (waits)
                ++statuses[nas.converse(hello, false)];
            else
                for (int i = 0; i < 20; ++i, ++statuses[0])
                    nas.send_only();
            std::this_thread::sleep_for(options.round_trip);
        }
    }
    void shake_hands(const Options& options, SSL_CTX* context, std::map<int, unsigned>& statuses) const
    {
        for (; !stop_; ++statuses[0]) {
            const Connection connection{context, options.port};
            std::this_thread::sleep_for(options.round_trip);
        }
    }
    void ask(const Options& options, SSL_CTX* context, unsigned i, std::map<int, unsigned>& statuses) const
    {
        const auto same = options.flood == "account" ? new_account(options.port)
                          : options.flood == "post"  ? posted(options)
                                                     : std::string{};
        for (unsigned number = i; !stop_;) {
            Connection connection{context, options.port};
            while (!stop_ && !connection.closed()) {
                number += options.connections;
                std::this_thread::sleep_for(options.round_trip);
                const int status = connection.ask(same.empty() ? wrong_password(number) : same);
                if (status == 0) break;
                ++statuses[status];
            }
        }
    }

    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::map<int, unsigned> statuses_;
    std::vector<std::jthread> threads_;
};

std::vector<double> probe(const Options& options, SSL_CTX* context)
{
    const std::string request =
        "GET " + options.ask + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    constexpr int kReject = 3;
    const auto hello = client_hello();
    std::vector<double> took;
    const auto end = Clock::now() + std::chrono::seconds{options.seconds};
    while (Clock::now() < end) {
        const auto begin = Clock::now();
        const bool good = options.radius() ? Nas{options.port, true}.converse(hello, true) == kReject
                                           : Connection{context, options.port}.ask(request) == options.status;
        if (!good) give_up("the client that was to be answered");
        took.push_back(ms_since(begin));
    }
    return took;
}

double rss_of(const std::string& pid)
{
    std::ifstream file{"/proc/" + pid + "/statm"};
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024 / 1024;
}

Context make_context(const Options& options, bool stranger)
{
    Context context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!options.ca.empty() && SSL_CTX_load_verify_file(context.get(), options.ca.c_str()) != 1)
        give_up(options.ca);
    if (stranger && !options.certificate.empty() &&
        (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1 ||
         SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1))
        give_up(options.certificate);
    return context;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    if (argc > 1) options.flood = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const auto number = static_cast<unsigned>(std::atoi(argv[i + 1]));
        if (name == "--port") options.port = static_cast<std::uint16_t>(number);
        if (name == "--status") options.status = static_cast<int>(number);
        if (name == "--connections") options.connections = number;
        if (name == "--rounds") options.rounds = number;
        if (name == "--seconds") options.seconds = number;
        if (name == "--round-trip") options.round_trip = std::chrono::milliseconds{number};
        for (const auto& [word, text] : {std::pair{"--ca", &options.ca},
                                         {"--pid", &options.pid},
                                         {"--ask", &options.ask},
                                         {"--post", &options.post},
                                         {"--type", &options.type},
                                         {"--body", &options.body},
                                         {"--cert", &options.certificate},
                                         {"--key", &options.key}})
            if (name == word) *text = argv[i + 1];
    }
    if (options.port == 0 || (options.ca.empty() && !options.radius()) || options.rounds == 0)
        give_up("see the head of bench/abuse.cpp");
    const auto context = make_context(options, false);
    const auto strange = make_context(options, true);
    const double rss_first = rss_of(options.pid);
    double rss_before = 0;
    std::array<std::vector<double>, 4> figures;
    std::map<int, unsigned> statuses;
    for (unsigned round = 0; round < options.rounds; ++round) {
        const auto quiet = probe(options, context.get());
        rss_before = rss_of(options.pid);
        Flood flood{options, strange.get()};
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
    std::printf("%u %d %.1f %.1f %.1f\n", answered / (options.rounds * (options.seconds + 1)), status,
                rss_first, rss_before, rss_of(options.pid));
}
