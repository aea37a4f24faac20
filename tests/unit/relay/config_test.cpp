#include <doctest/doctest.h>

#include "relay/config.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

constexpr const char* kSmallest = R"([tls]
certificate = "ra.pem"
[acme]
account = "acct.json"
[[domain]]
name = "Domain.COM"
[cacerts]
root = "root.pem"
)";

std::string refused(const std::string& text)
{
    const auto config = relay::parse_relay_config(text, "/etc/x/relay.toml");
    return config ? "" : config.error().message + " | " + config.error().hint;
}

} // namespace

TEST_CASE("relay.toml: the smallest, its defaults, files beside it")
{
    const auto config = relay::parse_relay_config(kSmallest, "/etc/x/relay.toml");
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->est.text() == "0.0.0.0:8443");
    CHECK(config->admin.text() == "127.0.0.1:9443");
    CHECK(config->http.certificate_file == "/etc/x/ra.pem");
    CHECK(config->http.key_file == "/etc/x/ra.key");
    CHECK(config->http.ask_client_certificate);
    CHECK_FALSE(config->ra.idevid.accept_any);
    REQUIRE(config->ra.domains.size() == 1);
    CHECK(config->ra.domains[0].name == "domain.com");
    CHECK(config->ra.store_file == "/etc/x/relay.db");
    CHECK(config->ra.labels.contains(""));
    CHECK(config->ra.pop == ra::Pop::optional);
    CHECK_FALSE(config->wrap);
}

TEST_CASE("relay.toml: every value goes where it belongs")
{
    const auto config = relay::parse_relay_config(std::string{kSmallest} + R"([listen]
est = "127.0.0.1:0"
proxy_protocol = ["10.0.0.0/8", "::1"]
[clients.idevid]
trust = ["/m/one.pem", "two.pem"]
inventory = "devices.csv"
[clients.issued]
eku = "clientAuth"
[est]
wait = "500ms"
retry_after = "1m"
pop = "required"
error_format = "cmc"
b64_wrap = "0"
strict_body = true
[label.iot]
allow = ["1.3.6.1.5.5.7.1.24", "nonRepudiation"]
domain = "domain.com"
san = "random"
[limits]
body = "16KiB"
orders_per_device = 3
budget_window = "1h"
)",
                                                  "relay.toml");
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->http.port == 0);
    REQUIRE(config->http.proxies.size() == 2);
    CHECK(config->http.proxies[0].contains("10.9.8.7"));
    CHECK(config->ra.idevid.trust == std::vector<std::string>{"/m/one.pem", "two.pem"});
    CHECK(config->ra.issued.eku == "clientAuth");
    CHECK(config->ra.wait == 500ms);
    CHECK(config->ra.retry_after == 60s);
    CHECK(config->ra.pop == ra::Pop::required);
    CHECK(config->cmc_errors);
    CHECK(config->wrap == 0);
    CHECK(config->strict_body);
    CHECK(config->ra.labels.at("iot").san == "random");
    CHECK(config->ra.labels.at("iot").allow ==
          std::vector<std::string>{"1.3.6.1.5.5.7.1.24", "nonRepudiation"});
    CHECK(config->http.body_limit == 16384);
    CHECK(config->ra.limits.orders_per_device == 3);
    CHECK(config->ra.limits.budget_window == 3600s);
}

TEST_CASE("relay.toml: mistakes name line, column and the nearest key")
{
    const std::string base = kSmallest;
    CHECK(refused(base + "[est]\nwiat = \"2s\"\n") ==
          "/etc/x/relay.toml:10:1: [est] has no key \"wiat\" | did you mean \"wait\"?");
    CHECK(refused(base + "[esst]\n").find("did you mean [est]?") != std::string::npos);
    CHECK(refused(base + "[clients.idevids]\n").find("unknown section [clients.idevids]") !=
          std::string::npos);
    CHECK(refused(base + "[label.iot]\nallow = [\"keyCertSign\"]\n")
              .find("\"keyCertSign\" is neither an OID") != std::string::npos);
    CHECK(
        refused(base + "[label.iot]\nallow = [\"tlsfeature\"]\n").find("\"tlsfeature\" is neither an OID") !=
        std::string::npos);
    CHECK(refused(base + "[est]\nwait = 2\n").find(":10:8: wait: must be a duration") != std::string::npos);
    CHECK(refused(base + "[est]\npop = \"maybe\"\n").find("must be one of off, optional, required") !=
          std::string::npos);
    CHECK(refused(base + "[limits]\nconnections = 0\n").find("number of at least 1") != std::string::npos);
    CHECK(refused(base + "[limits]\nbody = \"1GiB\"\n").find("must be a size") != std::string::npos);
    CHECK(refused(base + "x = [\n").find("/etc/x/relay.toml:") == 0);
    CHECK(refused("").find("[tls] has no certificate") != std::string::npos);
    CHECK(refused(base + "[[domain]]\nname = \"a_b\"\n").find(":10:8: name:") != std::string::npos);
    CHECK(refused(base + "[listen]\nproxy_protocol = [\"lb\"]\n")
              .find(":10:18: proxy_protocol: \"lb\": not an IP") != std::string::npos);
    CHECK_FALSE(relay::explain_relay_config().empty());
}
