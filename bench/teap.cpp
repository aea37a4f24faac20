// bench-teap --port N --pid PID --pki DIR [--clients N] [--rounds N] [--requests N] [--tls 1.2|1.3] [--flight
// N]
//
// Measures a RADIUS/TEAP server on 127.0.0.1, shared secret "radius-secret", beside what TLS allows. In each
// of ROUNDS rounds: as many full handshakes in memory as there are requests (see est.cpp), then REQUESTS
// enrolments by CLIENTS threads, another device each, made before the clock runs with maker.pem and maker.key
// of DIR, then as many exchanges with the certificates that came of it and no enrolment. CPU is that of PID,
// a thread named "issuer" left out; "busiest" is the share of one core that its busiest thread had meanwhile.
//
// Prints a line of medians each for "enrolment" and "exchange": conversations per second, p50 and p99 in ms,
// server CPU ms of one, handshakes per second in memory, server CPU ms of one of them, busiest, failures.
//
// --flight: opens N conversations up to the last packet of the server's inside the tunnel ("tunnel"), then
// ends them all; and again up to its TLS flight ("handshake"). Prints a line of each instead: RSS in MiB
// before and with them, kB for each, and how many were let in.
#include <unistd.h>

#include <array>
#include <map>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/context.h"
#include "base/secret.h"
#include "common.h"
#include "crypto/csr.h"
#include "radius/client.h"
#include "teap/eap.h"
#include "teap/peer.h"

using namespace acmetool;
using bench::Clock;

namespace
{

struct Options {
    std::uint16_t port = 0;
    std::string pid = "self";
    std::string pki;
    unsigned clients = 1;
    unsigned rounds = 7;
    unsigned requests = 300;
    std::string tls = "1.2";
    unsigned flight = 0;
};

const base::Secret kSecret{"radius-secret"};

struct Device {
    std::string serial;
    std::optional<crypto::Key> key;
    std::optional<crypto::Certificate> certificate;
    std::optional<crypto::Key> new_key;
    std::optional<crypto::Csr> csr;
};

Device make_device(X509* maker, EVP_PKEY* maker_key, const std::string& serial)
{
    auto made = bench::make_identity(maker, maker_key, serial);
    Device device;
    device.serial = serial;
    device.key = crypto::Key::adopt(made.key.release());
    device.certificate = crypto::Certificate::adopt(made.certificate.release());
    device.new_key = crypto::generate_key("ec:P-256").value();
    crypto::CsrOptions options;
    options.identifiers = {{"dns", serial + ".iot.domain.com"}};
    device.csr = crypto::build_csr(*device.new_key, options).value();
    return device;
}

/// One device and its NAS, a packet at a time.
class Conversation
{
public:
    Conversation(const Options& options, const Device& device, bool enrol)
        : peer_(settings_of(device, enrol), context_of(options, device), {})
    {
        const Bytes ask{1, 1, 0, 5, teap::eap_type::kIdentity};
        eap_ = *peer_.handle(ask).value();
    }
    /// False where it has ended.
    bool step(radius::Client& nas)
    {
        radius::Packet packet;
        packet.code = static_cast<std::uint8_t>(radius::Code::access_request);
        packet.add(radius::attribute::kUserName, as_bytes("bench"));
        radius::add_eap_message(packet, eap_);
        if (state_) packet.add(radius::attribute::kState, *state_);
        const auto reply = nas.exchange(packet, quiet_);
        if (!reply) return false;
        if (const auto* state = reply->packet.find(radius::attribute::kState)) state_ = *state;
        const auto received = radius::eap_message(reply->packet);
        if (!received) return false;
        auto answer = peer_.handle(*received);
        if (!answer || !*answer) return false;
        eap_ = std::move(**answer);
        return true;
    }
    bool accepted() const { return peer_.result().accepted; }
    const std::optional<crypto::Certificate>& certificate() const { return peer_.result().certificate; }

private:
    static teap::PeerSettings settings_of(const Device& device, bool enrol)
    {
        teap::PeerSettings settings;
        if (enrol)
            settings.make_request = [csr = *device.csr](const auto&, const auto&) {
                return Result<crypto::Csr>{csr};
            };
        return settings;
    }
    static crypto::TlsContext context_of(const Options& options, const Device& device)
    {
        crypto::TlsSettings tls;
        tls.min_version = tls.max_version = options.tls;
        tls.chain = {*device.certificate};
        tls.key = device.key;
        return crypto::TlsContext::make(crypto::Side::client, tls).value();
    }

    teap::PeerSession peer_;
    base::Context quiet_;
    Bytes eap_;
    std::optional<Bytes> state_;
};

radius::Client open_nas(const Options& options)
{
    radius::ClientOptions settings;
    settings.port = options.port;
    return radius::Client::open(settings, kSecret).value();
}

/// CPU ms of each thread of the process.
std::map<std::string, double> cpu_of_threads(const std::string& pid)
{
    std::map<std::string, double> threads;
    const std::string tasks = "/proc/" + pid + "/task";
    const bench::Owned<DIR, closedir> folder{opendir(tasks.c_str())};
    if (!folder) bench::give_up(tasks);
    while (const auto* entry = readdir(folder.get())) {
        double nanoseconds = 0;
        if (std::ifstream{tasks + "/" + entry->d_name + "/schedstat"} >> nanoseconds)
            threads[entry->d_name] = nanoseconds / 1e6;
    }
    return threads;
}

double rss_mib(const std::string& pid)
{
    std::ifstream file{"/proc/" + pid + "/statm"};
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024 / 1024;
}

struct Measured {
    std::vector<bench::Round> rounds;
    std::vector<double> busiest;
    unsigned failed = 0;
};

void run(const Options& options, std::vector<Device>& devices, bool enrol, Measured& into)
{
    std::atomic<unsigned> failed{0};
    const auto threads_before = cpu_of_threads(options.pid);
    const double before = bench::cpu_ms(options.pid);
    const auto begin = Clock::now();
    auto round = bench::on_threads(options.clients, static_cast<unsigned>(devices.size()), [&](unsigned i) {
        auto nas = open_nas(options);
        Conversation talk{options, devices[i], enrol};
        while (talk.step(nas)) {
        }
        if (!talk.accepted() || talk.certificate().has_value() != enrol)
            ++failed;
        else if (enrol) {
            devices[i].certificate = talk.certificate();
            devices[i].key = devices[i].new_key;
        }
        return 0.0;
    });
    const double took = bench::ms_since(begin);
    round.cpu = (bench::cpu_ms(options.pid) - before) / static_cast<double>(devices.size());
    double busiest = 0;
    for (const auto& [thread, cpu] : cpu_of_threads(options.pid)) {
        const auto known = threads_before.find(thread);
        busiest = std::max(busiest, cpu - (known == threads_before.end() ? 0 : known->second));
    }
    into.rounds.push_back(round);
    into.busiest.push_back(busiest / took);
    into.failed += failed;
}

void print(const char* what, const Measured& measured, const std::vector<bench::Round>& limits)
{
    using bench::median;
    using bench::Round;
    std::printf("%s %.1f %.2f %.2f %.3f %.1f %.3f %.2f %u\n", what, median(measured.rounds, &Round::rate),
                median(measured.rounds, &Round::p50), median(measured.rounds, &Round::p99),
                median(measured.rounds, &Round::cpu), median(limits, &Round::rate),
                median(limits, &Round::cpu), bench::percentile(measured.busiest, 50), measured.failed);
}

/// Opens conversations, holds them after as many packets, then ends them all.
bool hold(const Options& options, const Device& device, double before, const char* where, unsigned packets)
{
    auto nas = open_nas(options);
    std::vector<std::unique_ptr<Conversation>> talks;
    for (unsigned i = 0; i < options.flight; ++i) {
        talks.push_back(std::make_unique<Conversation>(options, device, false));
        for (unsigned packet = 0; packet < packets; ++packet)
            if (!talks.back()->step(nas)) bench::give_up("a conversation ended too early");
    }
    const double with = rss_mib(options.pid);
    unsigned accepted = 0;
    for (auto& talk : talks) {
        while (talk->step(nas)) {
        }
        if (talk->accepted()) ++accepted;
        talk.reset();
    }
    std::printf("%s %.1f %.1f %.1f %u\n", where, before, with, (with - before) * 1024 / options.flight,
                accepted);
    return accepted == options.flight;
}

int fly(const Options& options, X509* maker, EVP_PKEY* maker_key, const std::string& name)
{
    std::vector<Device> devices;
    devices.push_back(make_device(maker, maker_key, name));
    Measured ignored;
    run(options, devices, true, ignored); // its certificate is what all of them show
    unsigned packets = 0;
    auto nas = open_nas(options);
    for (Conversation talk{options, devices[0], false}; talk.step(nas);)
        ++packets;
    // What the first hold left free is there for the second: the smaller one goes first.
    const double before = rss_mib(options.pid);
    const bool tunnel = hold(options, devices[0], before, "tunnel", packets);
    const bool handshake = hold(options, devices[0], before, "handshake", 2); // Identity, ClientHello
    return tunnel && handshake ? 0 : 1;
}

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name{argv[i]};
        const char* value = argv[i + 1];
        const auto number = static_cast<unsigned>(std::atoi(value));
        if (name == "--port") options.port = static_cast<std::uint16_t>(number);
        if (name == "--pid") options.pid = value;
        if (name == "--pki") options.pki = value;
        if (name == "--clients") options.clients = number;
        if (name == "--rounds") options.rounds = number;
        if (name == "--requests") options.requests = number;
        if (name == "--tls") options.tls = value;
        if (name == "--flight") options.flight = number;
    }
    if (options.port == 0 || options.pki.empty()) {
        std::fputs("bench-teap: see the head of bench/teap.cpp\n", stderr);
        std::exit(64);
    }
    return options;
}

} // namespace

int main(int argc, char** argv)
{
    const Options options = parse(argc, argv);
    const auto maker = bench::read_certificate(options.pki + "/maker.pem");
    const auto maker_key = bench::read_key(options.pki + "/maker.key");
    std::srand(static_cast<unsigned>(time(nullptr)));
    const std::string name = std::to_string(time(nullptr)) + "x" + std::to_string(getpid());
    if (options.flight > 0) return fly(options, maker.get(), maker_key.get(), name);
    const auto client =
        bench::client_context(options.pki, options.tls == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
    const auto server = bench::server_context(options.pki);
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    std::vector<bench::Round> limits;
    Measured enrolments;
    Measured exchanges;
    for (unsigned round = 0; round < options.rounds; ++round) {
        std::vector<Device> devices;
        for (unsigned i = 0; i < options.requests; ++i)
            devices.push_back(make_device(maker.get(), maker_key.get(),
                                          name + "x" + std::to_string(round) + "x" + std::to_string(i)));
        const auto shown = bench::make_identity(maker.get(), maker_key.get(), name);
        limits.push_back(bench::on_threads(std::min(cores, options.clients), options.requests, [&](unsigned) {
            return bench::handshake(server.get(), client.get(), shown);
        }));
        run(options, devices, true, enrolments);
        run(options, devices, false, exchanges);
    }
    print("enrolment", enrolments, limits);
    print("exchange", exchanges, limits);
    return enrolments.failed + exchanges.failed == 0 ? 0 : 1;
}
