// bench-est OPERATION --port N --pid PID --pki DIR [--clients N] [--rounds N] [--requests N] [--tls 1.2|1.3]
//           [--idle N] [--keep FILE | --again FILE]
//
// Measures an EST server and BRSKI registrar on 127.0.0.1 beside what TLS allows. OPERATION is cacerts,
// simpleenroll or requestvoucher, on a new mutually authenticated P-256 connection for each request; each
// enrolment and each voucher-request is another device's, made before the clock runs with maker.pem and
// maker.key of DIR; tls-root.pem there is trusted, and ra.pem and ra.key serve the other side. In each of
// ROUNDS rounds: as many full handshakes in memory, both sides and no sockets, on as many threads as there
// are clients (at most one for each core), then REQUESTS requests from CLIENTS threads. With
// --idle, N more clients hold connections and say nothing. CPU is that of PID, a thread named "issuer" left
// out.
//
// Prints one line of medians: requests per second, p50 and p99 in ms, server CPU ms per request, handshakes
// per second in memory, server CPU ms of one of them, p50 ms of one of them, replies 200, replies 202,
// others.
//
// --keep writes the devices' keys, certificates and requests to FILE, --again reads them from it and sends
// them once more: for enrolments that were told to come back.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace
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

enum class Operation { cacerts, simpleenroll, requestvoucher };

struct Options {
    Operation operation = Operation::cacerts;
    std::uint16_t port = 0;
    std::string pid = "self";
    std::string pki;
    unsigned clients = 1;
    unsigned rounds = 7;
    unsigned requests = 300;
    int tls = TLS1_2_VERSION;
    unsigned idle = 0;
    std::string keep;
    std::string again;
};

struct Device {
    Key key;
    Cert certificate;
    std::string body; ///< PKCS#10 in base64, or a voucher-request
};

[[noreturn]] void give_up(const std::string& why)
{
    std::fprintf(stderr, "bench-est: %s\n", why.c_str());
    std::exit(1);
}

Key read_key(const std::string& path)
{
    const BioPtr file{BIO_new_file(path.c_str(), "r")};
    Key key{file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!key) give_up(path);
    return key;
}

Cert read_certificate(const std::string& path)
{
    const BioPtr file{BIO_new_file(path.c_str(), "r")};
    Cert certificate{file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!certificate) give_up(path);
    return certificate;
}

std::string base64(const unsigned char* octets, int size)
{
    std::string text(static_cast<std::size_t>(4 * (size / 3 + 1) + 1), '\0');
    text.resize(static_cast<std::size_t>(
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), octets, size)));
    return text;
}

std::string request_body(EVP_PKEY* key, const std::string& name)
{
    const Owned<X509_REQ, X509_REQ_free> request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), key);
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(
        extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str()));
    X509_REQ_add_extensions(request.get(), extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_sign(request.get(), key, EVP_sha256());
    unsigned char* der = nullptr;
    const int size = i2d_X509_REQ(request.get(), &der);
    auto text = base64(der, size);
    OPENSSL_free(der);
    return text;
}

/// A pledge's voucher-request in CMS (RFC 8995 section 5.2).
std::string voucher_request(const Device& device, X509* registrar, const std::string& serial)
{
    std::array<unsigned char, 16> nonce{};
    RAND_bytes(nonce.data(), static_cast<int>(nonce.size()));
    unsigned char* der = nullptr;
    int size = i2d_X509(registrar, &der);
    const std::string json = R"({"ietf-voucher-request:voucher":{"assertion":"proximity","serial-number":")" +
                             serial + R"(","nonce":")" +
                             base64(nonce.data(), static_cast<int>(nonce.size())) +
                             R"(","proximity-registrar-cert":")" + base64(der, size) + "\"}}";
    OPENSSL_free(der);
    const BioPtr content{BIO_new_mem_buf(json.data(), static_cast<int>(json.size()))};
    constexpr unsigned kFlags = CMS_BINARY | CMS_PARTIAL;
    const Owned<CMS_ContentInfo, CMS_ContentInfo_free> message{
        CMS_sign(device.certificate.get(), device.key.get(), nullptr, nullptr, kFlags)};
    const Owned<ASN1_OBJECT, ASN1_OBJECT_free> type{OBJ_txt2obj("1.2.840.113549.1.9.16.1.40", 1)};
    if (!message || CMS_set1_eContentType(message.get(), type.get()) != 1 ||
        CMS_final(message.get(), content.get(), nullptr, kFlags) != 1)
        give_up("CMS");
    unsigned char* octets = nullptr;
    size = i2d_CMS_ContentInfo(message.get(), &octets);
    std::string text(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size));
    OPENSSL_free(octets);
    return text;
}

/// `registrar` is whom a voucher-request names; null: the device has a PKCS#10 instead.
Device make_device(X509* maker, EVP_PKEY* maker_key, X509* registrar, const std::string& serial)
{
    Device device;
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
    device.body = registrar != nullptr ? voucher_request(device, registrar, serial)
                                       : request_body(device.key.get(), serial + ".iot.domain.com");
    return device;
}

void write_device(std::FILE* file, const Device& device)
{
    PEM_write_PrivateKey(file, device.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_X509(file, device.certificate.get());
    std::fprintf(file, "%s\n", device.body.c_str());
}

std::vector<Device> read_devices(const std::string& path)
{
    std::vector<Device> devices;
    const BioPtr file{BIO_new_file(path.c_str(), "r")};
    std::string line(4096, '\0');
    for (;;) {
        Device device;
        device.key.reset(PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr));
        device.certificate.reset(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
        const int size = BIO_gets(file.get(), line.data(), static_cast<int>(line.size()));
        if (!device.key || !device.certificate || size < 1) return devices;
        device.body = line.substr(0, static_cast<std::size_t>(size) - 1);
        devices.push_back(std::move(device));
    }
}

Context client_context(const Options& options)
{
    Context context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_min_proto_version(context.get(), options.tls);
    SSL_CTX_set_max_proto_version(context.get(), options.tls);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context.get(), (options.pki + "/tls-root.pem").c_str()) != 1)
        give_up("tls-root.pem");
    return context;
}

/// As an EST server has it: the proof of possession is checked, whose certificate it is, is the application's
/// matter.
Context server_context(const Options& options)
{
    Context context{SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate_chain_file(context.get(), (options.pki + "/ra.pem").c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), (options.pki + "/ra.key").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(
        context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(), 0);
    return context;
}

double thread_cpu_ms()
{
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double ms_since(Clock::time_point begin)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// CPU of all threads of the process that stand, but not of its issuer.
double cpu_ms(const std::string& pid)
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

double percentile(std::vector<double> values, std::size_t percent)
{
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[std::min(values.size() - 1, values.size() * percent / 100)];
}

struct Round {
    double rate = 0, p50 = 0, p99 = 0, cpu = 0;
};

/// One handshake in memory. Returns the server's CPU ms.
double handshake(SSL_CTX* server_side, SSL_CTX* client_side, const Device& device)
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

int connect_to(std::uint16_t port)
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

Ssl open_connection(const Options& options, SSL_CTX* context, const Device& device)
{
    Ssl ssl{SSL_new(context)};
    SSL_use_certificate(ssl.get(), device.certificate.get());
    SSL_use_PrivateKey(ssl.get(), device.key.get());
    BIO* socket = BIO_new_socket(connect_to(options.port), BIO_CLOSE);
    SSL_set_bio(ssl.get(), socket, socket);
    if (SSL_connect(ssl.get()) != 1) give_up("handshake");
    return ssl;
}

/// Returns the status.
int request(const Options& options, SSL_CTX* context, const Device& device)
{
    const Ssl ssl = open_connection(options, context, device);
    constexpr std::array<std::array<const char*, 2>, 3> kTargets{
        {{"GET /.well-known/est/cacerts", ""},
         {"POST /.well-known/est/simpleenroll", "application/pkcs10"},
         {"POST /.well-known/brski/requestvoucher", "application/voucher-cms+json"}}};
    const auto& [target, type] = kTargets.at(static_cast<std::size_t>(options.operation));
    const bool posts = options.operation != Operation::cacerts;
    std::string text = std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n";
    if (posts)
        text += std::string{"Content-Type: "} + type +
                "\r\nContent-Length: " + std::to_string(device.body.size()) + "\r\n";
    text += "Connection: close\r\n\r\n" + (posts ? device.body : "");
    SSL_write(ssl.get(), text.data(), static_cast<int>(text.size()));
    std::string reply(16384, '\0');
    int have = 0;
    while (have < static_cast<int>(reply.size())) {
        const int got = SSL_read(ssl.get(), reply.data() + have, static_cast<int>(reply.size()) - have);
        if (got <= 0) break;
        have += got;
    }
    SSL_shutdown(ssl.get());
    return have > 12 ? std::atoi(reply.c_str() + 9) : 0;
}

double median(const std::vector<Round>& rounds, double Round::*member)
{
    std::vector<double> values;
    for (const auto& round : rounds)
        values.push_back(round.*member);
    return percentile(std::move(values), 50);
}

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const char* value = argv[i + 1];
        const auto number = static_cast<unsigned>(std::atoi(value));
        if (name == "--port") options.port = static_cast<std::uint16_t>(number);
        if (name == "--pid") options.pid = value;
        if (name == "--pki") options.pki = value;
        if (name == "--clients") options.clients = number;
        if (name == "--rounds") options.rounds = number;
        if (name == "--requests") options.requests = number;
        if (name == "--tls") options.tls = std::string_view{value} == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
        if (name == "--idle") options.idle = number;
        if (name == "--keep") options.keep = value;
        if (name == "--again") options.again = value;
    }
    const std::string_view operation{argc > 1 ? argv[1] : ""};
    if (operation == "simpleenroll") options.operation = Operation::simpleenroll;
    if (operation == "requestvoucher") options.operation = Operation::requestvoucher;
    if ((options.operation == Operation::cacerts && operation != "cacerts") || options.port == 0 ||
        options.pki.empty()) {
        std::fputs("bench-est: see the head of bench/est.cpp\n", stderr);
        std::exit(64);
    }
    return options;
}

} // namespace

int main(int argc, char** argv)
{
    const Options options = parse(argc, argv);
    const auto maker = read_certificate(options.pki + "/maker.pem");
    const auto maker_key = read_key(options.pki + "/maker.key");
    const bool vouchers = options.operation == Operation::requestvoucher;
    const auto registrar = vouchers ? read_certificate(options.pki + "/ra.pem") : Cert{};
    const auto client = client_context(options);
    const auto server = server_context(options);
    std::srand(static_cast<unsigned>(time(nullptr)));
    const std::string run = std::to_string(time(nullptr)) + "x" + std::to_string(getpid());
    const auto cores = std::max(1U, std::thread::hardware_concurrency());

    std::vector<Ssl> idle;
    const Device watcher = make_device(maker.get(), maker_key.get(), nullptr, run + "idle");
    for (unsigned i = 0; i < options.idle; ++i)
        idle.push_back(open_connection(options, client.get(), watcher));

    std::FILE* kept = options.keep.empty() ? nullptr : std::fopen(options.keep.c_str(), "w");
    auto again = options.again.empty() ? std::vector<Device>{} : read_devices(options.again);
    const auto rounds = again.empty() ? options.rounds : 1;
    std::atomic<unsigned> issued{0};
    std::atomic<unsigned> pending{0};
    std::atomic<unsigned> others{0};
    std::vector<Round> limits;
    std::vector<Round> served;
    for (unsigned round = 0; round < rounds; ++round) {
        auto devices = std::move(again);
        const auto count = devices.empty() ? options.requests : static_cast<unsigned>(devices.size());
        for (auto i = static_cast<unsigned>(devices.size()); i < count; ++i) {
            devices.push_back(make_device(maker.get(), maker_key.get(), registrar.get(),
                                          run + "x" + std::to_string(round) + "x" + std::to_string(i)));
            if (kept != nullptr) write_device(kept, devices.back());
        }
        limits.push_back(on_threads(std::min(cores, options.clients), count, [&](unsigned i) {
            return handshake(server.get(), client.get(), devices[i]);
        }));
        const double before = cpu_ms(options.pid);
        served.push_back(on_threads(options.clients, count, [&](unsigned i) {
            const int status = request(options, client.get(), devices[i]);
            ++(status == 200 ? issued : status == 202 ? pending : others);
            return 0.0;
        }));
        served.back().cpu = (cpu_ms(options.pid) - before) / count;
    }
    if (kept != nullptr) std::fclose(kept);
    std::printf("%.1f %.2f %.2f %.3f %.1f %.3f %.2f %u %u %u\n", median(served, &Round::rate),
                median(served, &Round::p50), median(served, &Round::p99), median(served, &Round::cpu),
                median(limits, &Round::rate), median(limits, &Round::cpu), median(limits, &Round::p50),
                issued.load(), pending.load(), others.load());
    return others == 0 ? 0 : 1;
}
