#include <doctest/doctest.h>

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "fixture.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// Asks again while the order is pending, as a device does.
enrol::Decision enrol_patiently(Lab& lab, const crypto::Certificate& device, const crypto::Csr& csr)
{
    for (int i = 0; i < 20; ++i) {
        auto decision = lab.enrol(Lab::request(device, csr));
        if (!std::holds_alternative<enrol::Pending>(decision)) return decision;
    }
    return enrol::Pending{};
}

/// An engine with the built-in issuer, as the environment says; tests/flows/ra.bats sets it.
void open_real(Lab& lab, unsigned devices)
{
    lab.options.account_file = environment("RA_ACCOUNT");
    lab.options.cacerts.roots = {environment("RA_ROOT")};
    lab.options.solver.dns_update = environment("RA_DNS");
    lab.options.solver.tsig_key = environment("RA_TSIG");
    lab.options.domains[0].preauthorize = environment("RA_PREAUTHORIZE") != "no";
    lab.options.limits.orders_in_total = devices + 1000;
    ra::Engine::Parts parts;
    parts.events = &lab;
    auto opened = ra::Engine::open(lab.options, std::move(parts));
    if (!opened) FAIL(opened.error().message);
    lab.engine = std::move(*opened);
}

const bool kSkip = std::getenv("RA_ACCOUNT") == nullptr;

} // namespace

TEST_CASE("INT-26b: many devices through the built-in issuer" * doctest::skip(kSkip))
{
    Lab lab;
    constexpr unsigned kDevices = 20;
    lab.options.wait = 5s;
    open_real(lab, kDevices);
    std::vector<std::string> words(kDevices);
    std::vector<std::thread> devices;
    for (unsigned i = 0; i < kDevices; ++i)
        devices.emplace_back([&, i] {
            const auto serial = environment("RA_PREFIX") + std::to_string(i);
            const auto csr = Lab::csr(*crypto::generate_key("ec:P-256"), {serial + ".domain.com"});
            const auto decision = enrol_patiently(lab, lab.maker.idevid(serial), csr);
            words[i] = Lab::word(decision);
            if (const auto* refused = std::get_if<enrol::Refused>(&decision))
                words[i] += ": " + refused->text;
        });
    for (auto& device : devices)
        device.join();
    for (const auto& word : words)
        CHECK(word == "issued");
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    CHECK_FALSE(lab.engine->status()["cacerts"].contains("error"));
}

TEST_CASE("INT-12b, ACME-42c: a restart in the middle continues the order" * doctest::skip(kSkip))
{
    Lab lab;
    lab.options.wait = 0ms;
    open_real(lab, 1);
    const auto serial = environment("RA_PREFIX") + "restart";
    const auto device = lab.maker.idevid(serial);
    const auto csr = Lab::csr(lab.key, {serial + ".domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "pending");
    lab.engine.reset();
    lab.options.wait = 5s;
    open_real(lab, 1);
    CHECK(Lab::word(enrol_patiently(lab, device, csr)) == "issued");
}
