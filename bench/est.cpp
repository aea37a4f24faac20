// bench-est OPERATION --port N... --pid PID... --pki DIR [--clients N] [--rounds N] [--requests N]
//           [--tls 1.2|1.3] [--idle N [--hold SECONDS]] [--keep FILE | --again FILE]
//
// Measures an EST server and BRSKI registrar on 127.0.0.1 beside what TLS allows. OPERATION is cacerts,
// simpleenroll or requestvoucher, on a new mutually authenticated P-256 connection for each request; each
// enrolment and each voucher-request is another device's, made before the clock runs with maker.pem and
// maker.key of DIR; tls-root.pem there is trusted, and ra.pem and ra.key serve the other side. In each of
// ROUNDS rounds: as many full handshakes in memory, both sides and no sockets, on as many threads as there
// are clients (at most one for each core), then REQUESTS requests from CLIENTS threads. With
// --idle, N more clients hold connections and say nothing, and go on for SECONDS after it is done. CPU is
// that of PID, a thread named "issuer" left out. With several ports, the clients are dealt out to them; with
// several PIDs, their CPU is added.
//
// Prints one line of medians: requests per second, p50 and p99 in ms, server CPU ms per request, handshakes
// per second in memory, server CPU ms of one of them, p50 ms of one of them, replies 200, replies 202,
// others.
//
// --keep writes the devices' keys, certificates and requests to FILE, --again reads them from it and sends
// them once more: for enrolments that were told to come back.
#include <openssl/cms.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "common.h"

using namespace bench;

namespace
{

enum class Operation { cacerts, simpleenroll, requestvoucher };

struct Options {
    Operation operation = Operation::cacerts;
    std::vector<std::uint16_t> ports;
    std::vector<std::string> pids;
    std::string pki;
    unsigned clients = 1;
    unsigned rounds = 7;
    unsigned requests = 300;
    int tls = TLS1_2_VERSION;
    unsigned idle = 0;
    unsigned hold = 0;
    std::string keep;
    std::string again;
};

struct Device : Identity {
    std::string body; ///< PKCS#10 in base64, or a voucher-request
};

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
    Device device{make_identity(maker, maker_key, serial), {}};
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

double cpu_of(const std::vector<std::string>& pids)
{
    double sum = 0;
    for (const auto& pid : pids)
        sum += cpu_ms(pid);
    return sum;
}

Ssl open_connection(std::uint16_t port, SSL_CTX* context, const Device& device)
{
    Ssl ssl{SSL_new(context)};
    SSL_use_certificate(ssl.get(), device.certificate.get());
    SSL_use_PrivateKey(ssl.get(), device.key.get());
    BIO* socket = BIO_new_socket(connect_to(port), BIO_CLOSE);
    SSL_set_bio(ssl.get(), socket, socket);
    if (SSL_connect(ssl.get()) != 1) give_up("handshake");
    return ssl;
}

/// Returns the status.
int request(const Options& options, std::uint16_t port, SSL_CTX* context, const Device& device)
{
    const Ssl ssl = open_connection(port, context, device);
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

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const char* value = argv[i + 1];
        const auto number = static_cast<unsigned>(std::atoi(value));
        if (name == "--port") options.ports.push_back(static_cast<std::uint16_t>(number));
        if (name == "--pid") options.pids.emplace_back(value);
        if (name == "--pki") options.pki = value;
        if (name == "--clients") options.clients = number;
        if (name == "--rounds") options.rounds = number;
        if (name == "--requests") options.requests = number;
        if (name == "--tls") options.tls = std::string_view{value} == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION;
        if (name == "--idle") options.idle = number;
        if (name == "--hold") options.hold = number;
        if (name == "--keep") options.keep = value;
        if (name == "--again") options.again = value;
    }
    const std::string_view operation{argc > 1 ? argv[1] : ""};
    if (operation == "simpleenroll") options.operation = Operation::simpleenroll;
    if (operation == "requestvoucher") options.operation = Operation::requestvoucher;
    if ((options.operation == Operation::cacerts && operation != "cacerts") || options.ports.empty() ||
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
    const auto client = client_context(options.pki, options.tls);
    const auto server = server_context(options.pki);
    std::srand(static_cast<unsigned>(time(nullptr)));
    const std::string run = std::to_string(time(nullptr)) + "x" + std::to_string(getpid());
    const auto cores = std::max(1U, std::thread::hardware_concurrency());

    std::vector<Ssl> idle;
    const Device watcher = make_device(maker.get(), maker_key.get(), nullptr, run + "idle");
    for (unsigned i = 0; i < options.idle; ++i)
        idle.push_back(open_connection(options.ports.front(), client.get(), watcher));

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
        const double before = cpu_of(options.pids);
        std::atomic<unsigned> begun{0};
        served.push_back(on_threads(options.clients, count, [&](unsigned i) {
            thread_local const auto port = options.ports[begun++ % options.ports.size()];
            const int status = request(options, port, client.get(), devices[i]);
            ++(status == 200 ? issued : status == 202 ? pending : others);
            return 0.0;
        }));
        served.back().cpu = (cpu_of(options.pids) - before) / count;
    }
    if (kept != nullptr) std::fclose(kept);
    std::printf("%.1f %.2f %.2f %.3f %.1f %.3f %.2f %u %u %u\n", median(served, &Round::rate),
                median(served, &Round::p50), median(served, &Round::p99), median(served, &Round::cpu),
                median(limits, &Round::rate), median(limits, &Round::cpu), median(limits, &Round::p50),
                issued.load(), pending.load(), others.load());
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds{options.hold});
    return others == 0 ? 0 : 1;
}
