#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "relay/config.h"
#include "relay/crl_keeper.h"

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
    CHECK(config->ra.store.sqlite == "/etc/x/relay.db");
    CHECK(config->ra.labels.contains(""));
    CHECK(config->ra.pop == ra::Pop::optional);
    CHECK_FALSE(config->wrap);
}

TEST_CASE("FLD-U4: a file name without a folder means the service's credential of that name")
{
    std::string folder = "/tmp/acmetool-credentials-XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    for (const auto* name : {"ra.key", "tsig.key", "masa.key"})
        std::ofstream{folder + "/" + name} << name;
    const std::string text = std::string{kSmallest} + R"([dns]
update = "ns.example"
tsig_key = "tsig.key"
[clients.idevid]
trust = ["tls/ra.key", "/m/ra.key", "ra.key"]
[[manufacturer]]
name = "Maker"
trust = ["maker.pem"]
masa_hosts = ["masa.example"]
masa_certificate = "masa.pem"
)";
    setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1);
    auto config = relay::parse_relay_config(text, "/etc/x/relay.toml");
    unsetenv("CREDENTIALS_DIRECTORY");
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->http.certificate_file == "/etc/x/ra.pem");
    CHECK(config->http.key_file == folder + "/ra.key");
    CHECK(config->ra.solver.tsig_key == folder + "/tsig.key");
    CHECK(config->ra.account_file == "/etc/x/acct.json");
    CHECK(config->ra.idevid.trust ==
          std::vector<std::string>{"/etc/x/tls/ra.key", "/m/ra.key", folder + "/ra.key"});
    REQUIRE(config->brski.manufacturers.size() == 1);
    CHECK(config->brski.manufacturers[0].masa_key == folder + "/masa.key");
    // No service.
    config = relay::parse_relay_config(text, "/etc/x/relay.toml");
    REQUIRE(config);
    CHECK(config->http.key_file == "/etc/x/ra.key");
    CHECK(config->brski.manufacturers[0].masa_key == "/etc/x/masa.key");
    std::filesystem::remove_all(folder);
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
cn = "refuse"
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
    CHECK_FALSE(config->ra.labels.at("iot").cn_is_name);
    CHECK(config->ra.labels.at("").cn_is_name);
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

TEST_CASE("FLD-A14: hook_env and issuer_env are names of variables")
{
    const auto config = relay::parse_relay_config(
        std::string{kSmallest} + "[dns]\nhook_env = [\"TOKEN\", \"A_1\"]\n", "relay.toml");
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->ra.solver.hook_env == std::vector<std::string>{"TOKEN", "A_1"});
    CHECK(refused(std::string{kSmallest} + "[dns]\nhook_env = [\"TOKEN=1\"]\n").find("hook_env") !=
          std::string::npos);
    std::string with_issuer{kSmallest};
    with_issuer.replace(with_issuer.find("account = \"acct.json\""), 21,
                        "issuer = [\"sign\"]\nissuer_env = [\"TOKEN\"]");
    const auto program = relay::parse_relay_config(with_issuer, "relay.toml");
    REQUIRE_MESSAGE(program, program.error().message);
    CHECK(program->ra.issuer_env == std::vector<std::string>{"TOKEN"});
}

TEST_CASE("SEC-20: manufacturers have names, with vouchers and without")
{
    const std::string base = kSmallest;
    const std::string radius =
        "[listen]\nradius = \"127.0.0.1:0\"\n[[client]]\naddress = \"::1\"\nsecret_file = "
        "\"s\"\n";
    const auto config = relay::parse_relay_config(base + radius + R"([clients.idevid]
trust = ["others.pem"]
[clients.idevid.maker-a]
trust = ["a.pem", "a2.pem"]
serial_from = ["commonName"]
[[manufacturer]]
name = "maker-b"
trust = ["b.pem"]
masa_url = "https://masa.example.com"
[[accept]]
device = "SN-1"
manufacturer = "maker-a"
[[accept]]
manufacturer = "maker-b"
[teap]
user_name = "outer"
)",
                                                  "/etc/x/relay.toml");
    REQUIRE_MESSAGE(config, config.error().message);
    const auto& idevid = config->ra.idevid;
    CHECK(idevid.trust == std::vector<std::string>{"/etc/x/others.pem"});
    REQUIRE(idevid.manufacturers.size() == 2);
    CHECK(config->brski.device_trust ==
          std::vector<std::string>{"/etc/x/others.pem", "/etc/x/a.pem", "/etc/x/a2.pem"});
    CHECK(idevid.manufacturers[0].name == "maker-a");
    CHECK(idevid.manufacturers[0].trust == std::vector<std::string>{"/etc/x/a.pem", "/etc/x/a2.pem"});
    CHECK(idevid.manufacturers[0].serial_from == std::vector<std::string>{"commonName"});
    CHECK(idevid.manufacturers[0].trusted);
    CHECK(idevid.manufacturers[1].name == "maker-b");
    CHECK_FALSE(idevid.manufacturers[1].trusted);
    REQUIRE(config->teap->accept.size() == 2);
    CHECK(config->teap->accept[0].manufacturer == "maker-a");
    CHECK(config->teap->user_name == access::UserName::outer);

    CHECK(refused(base + radius + "[[accept]]\nmanufacturer = \"maker-c\"\n")
              .find("manufacturer: no manufacturer has this name") != std::string::npos);
    CHECK(refused(base + "[clients.idevid.a]\n").find("[clients.idevid.a] has no trust") !=
          std::string::npos);
    CHECK(refused(base + "[clients.idevid.\"a@b\"]\ntrust = [\"x\"]\n").find("must not contain") !=
          std::string::npos);
    CHECK(
        refused(base + "[clients.idevid.a]\ntrust = [\"x\"]\nserial_from = [\"?\"]\n").find("serial_from") !=
        std::string::npos);
    CHECK(refused(base + "[clients.idevid.a]\ntrust = [\"x\"]\ntrusts = []\n")
              .find("did you mean \"trust\"?") != std::string::npos);
}

TEST_CASE("OPR-33: [admin]: other hosts only by TLS and with a certificate or a token")
{
    const auto with = [](const std::string& lines) { return std::string{kSmallest} + lines; };
    for (const auto* host : {"127.0.0.1:9443", "127.1.2.3:1", "[::1]:9443", "localhost:9443"}) {
        CAPTURE(host);
        CHECK(refused(with(fmt::format("[listen]\nadmin = \"{}\"\n", host))).empty());
    }
    for (const auto* host :
         {"0.0.0.0:9443", "192.0.2.1:9443", "[::]:9443", "[fe80::1]:9443", "ra.example:9443"}) {
        CAPTURE(host);
        CHECK(refused(with(fmt::format("[listen]\nadmin = \"{}\"\n", host)))
                  .find("plain HTTP is only for addresses of this host") != std::string::npos);
    }
    CHECK(refused(with("[admin]\nlisten = \"0.0.0.0:9444\"\n")).find("requires clients or token_file") !=
          std::string::npos);
    for (const auto* alone :
         {"clients = \"ops.pem\"", "token_file = \"t\"", "certificate = \"a.pem\"", "key = \"a.key\""}) {
        CAPTURE(alone);
        CHECK(refused(with(fmt::format("[admin]\n{}\n", alone))).find("requires") != std::string::npos);
    }
    const auto by_default = relay::parse_relay_config(
        with("[admin]\nlisten = \"0.0.0.0\"\ntoken_file = \"t\"\n"), "/etc/x/relay.toml");
    REQUIRE_MESSAGE(by_default, by_default.error().message);
    CHECK(by_default->remote_admin.listen->text() == "0.0.0.0:9444");
    CHECK(by_default->remote_admin.certificate_file == "/etc/x/ra.pem");
    CHECK(by_default->remote_admin.key_file == "/etc/x/ra.key");
    CHECK(by_default->remote_admin.token_file == "/etc/x/t");
    const auto other = relay::parse_relay_config(
        with("[admin]\nlisten = \"[::]:1\"\nclients = \"ops.pem\"\ncertificate = \"admin.pem\"\n"),
        "/etc/x/relay.toml");
    REQUIRE_MESSAGE(other, other.error().message);
    CHECK(other->remote_admin.key_file == "/etc/x/admin.key");
    CHECK(other->remote_admin.clients == std::vector<std::string>{"/etc/x/ops.pem"});
}

TEST_CASE("OPR-50: a label that no EST request can name is refused, with its line; that of TEAP may be any")
{
    const std::string longest(64, 'x');
    for (const auto& name : {std::string{"floor-1"}, std::string{"a.b_c~D9"}, std::string{}, longest}) {
        CAPTURE(name);
        CHECK(refused(fmt::format("{}[label.\"{}\"]\n", kSmallest, name)).empty());
    }
    for (const auto& name :
         {std::string{"floor 1"}, std::string{"a/b"}, std::string{"a%20b"}, std::string{"\u00fcber"},
          longest + "x", std::string{"simpleenroll"}, std::string{"cacerts"}, std::string{"fullcmc"}}) {
        CAPTURE(name);
        const auto told = refused(fmt::format("{}[label.\"{}\"]\n", kSmallest, name));
        CHECK(told.find("relay.toml:9:") != std::string::npos);
        CHECK(told.find("cannot be a label | no URL of EST names it") != std::string::npos);
    }
    const auto teap = fmt::format("[listen]\nradius = \"127.0.0.1:1812\"\n{}[teap]\nlabel = \"floor 1\"\n"
                                  "[[client]]\naddress = \"192.0.2.1\"\nsecret_file = \"s\"\n",
                                  kSmallest);
    CHECK(refused(teap + "[label.\"floor 1\"]\n") == "");
    CHECK(
        refused(teap + "[label.\"floor 1\"]\n[label.\"floor 2\"]\n").find("\"floor 2\" cannot be a label") !=
        std::string::npos);
}

TEST_CASE("OPR-49: max_version in [tls] is the highest for EST and TEAP, and not below min_version")
{
    const auto with = [](std::string_view lines) {
        std::string text = kSmallest;
        return text.replace(text.find("[acme]"), 0, lines);
    };
    auto config = relay::parse_relay_config(kSmallest, "/etc/x/relay.toml");
    REQUIRE(config);
    CHECK(config->http.max_tls == http::TlsVersion::tls_1_3);
    config = relay::parse_relay_config(with("max_version = \"1.2\"\n"), "/etc/x/relay.toml");
    REQUIRE(config);
    CHECK(config->http.max_tls == http::TlsVersion::tls_1_2);
    CHECK(config->http.min_tls == http::TlsVersion::tls_1_2);
    CHECK(refused(with("min_version = \"1.3\"\nmax_version = \"1.2\"\n"))
              .find("max_version: must not be less") != std::string::npos);
    config = relay::parse_relay_config("[listen]\nradius = \"127.0.0.1:1812\"\n" +
                                           with("max_version = \"1.2\"\n") +
                                           "[[client]]\naddress = \"192.0.2.1\"\nsecret_file = \"s\"\n",
                                       "/etc/x/relay.toml");
    REQUIRE(config);
    CHECK(config->teap->max_tls == "1.2");
}

TEST_CASE("SCL-45: relay.toml: where fetched CRLs are kept")
{
    const std::string url = "http://crl.example.com/maker.crl";
    const auto copy_of = [&url](const std::string& lines) {
        const auto config = relay::parse_relay_config(kSmallest + lines, "/etc/x/relay.toml");
        REQUIRE_MESSAGE(config, config.error().message);
        const auto copy = relay::crl_copy(*config, url);
        const auto digest = to_hex(crypto::sha256(as_bytes(url))).substr(0, 32);
        REQUIRE(copy.ends_with("crl-" + digest));
        return copy.substr(0, copy.size() - digest.size());
    };
    const std::string shared = "[store]\npostgresql = \"dbname=relay\"\n";
    REQUIRE(unsetenv("STATE_DIRECTORY") == 0);
    CHECK(copy_of("") == "/etc/x/relay.db.crl-");
    CHECK(copy_of(shared) == "/etc/x/crl-");
    REQUIRE(setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1) == 0);
    CHECK(copy_of("") == "/etc/x/relay.db.crl-");
    CHECK(copy_of(shared) == "/var/lib/one/crl-");
    CHECK(copy_of(shared + "crl_folder = \"/srv/crls\"\n") == "/srv/crls/crl-");
    CHECK(copy_of(shared + "crl_folder = \"crls\"\n") == "/etc/x/crls/crl-");
    REQUIRE(unsetenv("STATE_DIRECTORY") == 0);
    CHECK(refused(std::string{kSmallest} + "[store]\ncrl_folder = \"crls\"\n").find("requires postgresql") !=
          std::string::npos);
}
