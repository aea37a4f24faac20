#pragma once

// What the load generators share: devices, TLS in memory, and figures. OpenSSL and nothing of ours.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bench
{

using Clock = std::chrono::steady_clock;

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const noexcept
    {
        Free(p);
    }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Cert = Owned<X509, X509_free>;
using Context = Owned<SSL_CTX, SSL_CTX_free>;
using Ssl = Owned<SSL, SSL_free>;
using BioPtr = Owned<BIO, BIO_free_all>;

/// A device and what proves that it is the one.
struct Identity {
    Key key;
    Cert certificate;
};

[[noreturn]] inline void give_up(const std::string& why)
{
    std::fprintf(stderr, "bench: %s\n", why.c_str());
    std::exit(1);
}

inline Key read_key(const std::string& path)
{
    const BioPtr file{BIO_new_file(path.c_str(), "r")};
    Key key{file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!key) give_up(path);
    return key;
}

inline Cert read_certificate(const std::string& path)
{
    const BioPtr file{BIO_new_file(path.c_str(), "r")};
    Cert certificate{file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!certificate) give_up(path);
    return certificate;
}

inline Identity make_identity(X509* maker, EVP_PKEY* maker_key, const std::string& serial)
{
    Identity device;
    device.key.reset(EVP_EC_gen("P-256"));
    device.certificate.reset(X509_new());
    X509* x509 = device.certificate.get();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), std::rand());
    X509_set_issuer_name(x509, X509_get_subject_name(maker));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "serialNumber", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(serial.c_str()), -1, -1, 0);
    ASN1_TIME_set_string(X509_getm_notBefore(x509), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x509), "99991231235959Z");
    X509_set_pubkey(x509, device.key.get());
    X509_sign(x509, maker_key, EVP_sha256());
    return device;
}

inline Context client_context(const std::string& pki, int tls)
{
    Context context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_min_proto_version(context.get(), tls);
    SSL_CTX_set_max_proto_version(context.get(), tls);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context.get(), (pki + "/tls-root.pem").c_str()) != 1)
        give_up("tls-root.pem");
    return context;
}

/// As an EST server has it: the proof of possession is checked, whose certificate it is, is the application's
/// matter.
inline Context server_context(const std::string& pki)
{
    Context context{SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate_chain_file(context.get(), (pki + "/ra.pem").c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), (pki + "/ra.key").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(
        context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(), 0);
    return context;
}

inline double thread_cpu_ms()
{
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

inline double ms_since(Clock::time_point begin)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// CPU of all threads of the process that stand, but not of its issuer.
inline double cpu_ms(const std::string& pid)
{
    double sum = 0;
    const std::string tasks = "/proc/" + pid + "/task";
    const Owned<DIR, closedir> folder{opendir(tasks.c_str())};
    if (!folder) give_up(tasks);
    while (const auto* entry = readdir(folder.get())) {
        const std::string task = tasks + "/" + entry->d_name;
        std::string name;
        double nanoseconds = 0;
        std::ifstream{task + "/comm"} >> name;
        if (name != "issuer" && std::ifstream{task + "/schedstat"} >> nanoseconds) sum += nanoseconds / 1e6;
    }
    return sum;
}

inline double percentile(std::vector<double> values, std::size_t percent)
{
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[std::min(values.size() - 1, values.size() * percent / 100)];
}

inline int connect_to(std::uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
    return fd;
}

struct Round {
    double rate = 0, p50 = 0, p99 = 0, cpu = 0;
};

/// One handshake in memory. Returns the server's CPU ms.
inline double handshake(SSL_CTX* server_side, SSL_CTX* client_side, const Identity& device)
{
    const Ssl server{SSL_new(server_side)};
    const Ssl client{SSL_new(client_side)};
    BIO* near = nullptr;
    BIO* far = nullptr;
    BIO_new_bio_pair(&near, 0, &far, 0);
    SSL_set_bio(server.get(), near, near);
    SSL_set_bio(client.get(), far, far);
    SSL_use_certificate(client.get(), device.certificate.get());
    SSL_use_PrivateKey(client.get(), device.key.get());
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    double cpu = 0;
    for (int i = 0; i < 10; ++i) {
        const int connected = SSL_do_handshake(client.get());
        const double before = thread_cpu_ms();
        const int accepted = SSL_do_handshake(server.get());
        cpu += thread_cpu_ms() - before;
        if (connected == 1 && accepted == 1) return cpu;
    }
    give_up("no handshake in memory");
}

template <class Work>
Round on_threads(unsigned threads, unsigned count, const Work& work)
{
    std::atomic<unsigned> next{0};
    std::vector<std::vector<double>> took(threads);
    std::vector<double> cpu(threads);
    const auto begin = Clock::now();
    {
        std::vector<std::jthread> running;
        for (unsigned i = 0; i < threads; ++i)
            running.emplace_back([&, i] {
                for (unsigned item = next++; item < count; item = next++) {
                    const auto start = Clock::now();
                    cpu[i] += work(item);
                    took[i].push_back(ms_since(start));
                }
            });
    }
    Round round;
    round.rate = count * 1000.0 / ms_since(begin);
    std::vector<double> all;
    for (unsigned i = 0; i < threads; ++i) {
        all.insert(all.end(), took[i].begin(), took[i].end());
        round.cpu += cpu[i] / count;
    }
    round.p50 = percentile(all, 50);
    round.p99 = percentile(all, 99);
    return round;
}

inline double median(const std::vector<Round>& rounds, double Round::*member)
{
    std::vector<double> values;
    for (const auto& round : rounds)
        values.push_back(round.*member);
    return percentile(std::move(values), 50);
}

} // namespace bench
