#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <signal.h>

#include "fixture.h"
#include "ra/outcomes.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

/// A registration authority whose certificates come from a script: it prints `output` and exits with the
/// status that `status` holds, one line of it each time it runs.
class ProgramLab : public Lab
{
public:
    ProgramLab() { options.remember_failure = 0s; }
    void open_with(const std::string& script)
    {
        engine.reset();
        options.issuer_program = {folder.write("issue", "#!/bin/sh\ncd \"${0%/*}\"\n" + script)};
        std::filesystem::permissions(options.issuer_program.front(), std::filesystem::perms::owner_all);
        ra::Engine::Parts parts;
        parts.events = this;
        auto opened = ra::Engine::open(options, std::move(parts));
        if (!opened) FAIL(opened.error().message);
        engine = std::move(*opened);
    }
    std::string chain_for(const crypto::Csr& csr)
    {
        const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        return crypto::to_pem(*board->authority->issue(csr.key, csr.identifiers, now, 1000h));
    }
    /// The decision for a script that ends with `status` after `document`.
    enrol::Decision answered(int status, const std::string& document)
    {
        folder.write("document", document);
        open_with("cat document\nexit " + std::to_string(status));
        return enrol(Lab::request(device, csr));
    }
    std::string read(const std::string& name) { return store::read_file(folder / name).value_or(""); }

    crypto::Certificate device = maker.idevid("SN-1");
    crypto::Csr csr = Lab::csr(key, {"sn-1.domain.com"});
};

std::string with_problem(const std::string& word)
{
    return R"({"type":"error","version":1,"message":"no","problem":{"type":"urn:ietf:params:acme:error:)" +
           word + R"("}})";
}

} // namespace

TEST_CASE(
    "INT-09a: an issuer program gets the CSR as it came; its chain, PEM or document, is the certificate")
{
    for (const bool json : {false, true}) {
        CAPTURE(json);
        ProgramLab lab;
        const auto chain = lab.chain_for(lab.csr);
        lab.folder.write("document", json ? base::to_text(base::Json{{"fullchain", chain}}) : chain);
        lab.open_with("cat >input\necho \"$*\" >arguments\ncat document");
        const auto decision = lab.enrol(Lab::request(lab.device, lab.csr));
        REQUIRE(Lab::word(decision) == "issued");
        CHECK(crypto::parse_csr(lab.read("input"))->der == lab.csr.der);
        CHECK(lab.read("arguments") == "--json\n");
    }
}

TEST_CASE("ESTC-26a, ESTC-26b: what an issuer program prints is checked against the CSR")
{
    ProgramLab lab;
    const auto other = Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"});
    CHECK(Lab::word(lab.answered(0, lab.chain_for(other))) == "internal");
    CHECK(Lab::word(lab.answered(0, lab.chain_for(Lab::csr(lab.key, {"x.domain.com"})))) == "internal");
    CHECK(Lab::word(lab.answered(0, "")) == "internal");
    CHECK(Lab::word(lab.answered(0, "{}")) == "internal");
    CHECK(Lab::word(lab.answered(0, lab.chain_for(lab.csr))) == "issued");
}

TEST_CASE("INT-11b: an issuer program that says \"not yet\" (75) is asked again when it said")
{
    ProgramLab lab;
    lab.options.wait = 30s;
    lab.folder.write("document", lab.chain_for(lab.csr));
    lab.open_with(
        "echo run >>runs\nif [ \"$(wc -l <runs)\" = 1 ]; then echo '{\"retryAfter\": 1}'; exit 75; fi\n"
        "cat document");
    CHECK(Lab::word(lab.enrol(Lab::request(lab.device, lab.csr))) == "issued");
    CHECK(lab.read("runs") == "run\nrun\n");
}

TEST_CASE(
    "INT-18a, INT-18b, INT-18c: exit status and problem of an issuer program decide what the device is told")
{
    ProgramLab lab;
    CHECK(Lab::word(lab.answered(77, "")) == "forbidden");
    CHECK(Lab::word(lab.answered(65, "")) == "bad_request");
    CHECK(Lab::word(lab.answered(79, "")) == "internal");
    CHECK(Lab::word(lab.answered(77, with_problem("caa"))) == "bad_request");
    CHECK(Lab::word(lab.answered(77, with_problem("rejectedIdentifier"))) == "bad_identity");
    CHECK(Lab::word(lab.answered(77, with_problem("unauthorized"))) == "internal");
    CHECK(Lab::word(lab.answered(80, with_problem("rateLimited"))) == "unavailable");
    const auto text = lab.answered(77, R"({"message":"sn-1: not\u001b today","retryAfter":99999999999999})");
    REQUIRE(Lab::word(text) == "forbidden");
    const auto& refused = std::get<enrol::Refused>(text);
    CHECK(refused.text.find("sn-1: not? today") != std::string::npos);
    CHECK(refused.retry_after >= std::chrono::hours{24});
}

TEST_CASE("INT-27: an issuer program that prints without end is stopped, one that hangs ends with the relay")
{
    ProgramLab lab;
    lab.open_with("yes");
    CHECK(Lab::word(lab.enrol(Lab::request(lab.device, lab.csr))) == "internal");

    lab.options.wait = 0ms;
    const auto other = Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"});
    lab.folder.write("document", lab.chain_for(other));
    lab.open_with("echo $$ >pid.new; mv pid.new pid; sleep 600");
    CHECK(Lab::word(lab.enrol(Lab::request(lab.device, other))) == "pending");
    while (lab.read("pid").empty())
        std::this_thread::sleep_for(5ms);
    CHECK(Lab::word(lab.enrol(Lab::request(lab.device, other))) == "pending");
    lab.engine.reset();
    CHECK(kill(std::stoi(lab.read("pid")), 0) != 0);
    lab.options.wait = 30s;
    lab.open_with("cat document"); // the next run continues
    CHECK(Lab::word(lab.enrol(Lab::request(lab.device, other))) == "issued");
}

TEST_CASE("an issuer program that is not there is an error of the configuration")
{
    Lab lab;
    lab.options.issuer_program = {"/nowhere/issue"};
    const auto opened = ra::Engine::open(lab.options, ra::Engine::Parts{});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().reason.word() == "programNotFound");
}

TEST_CASE("FLD-A14: an issuer program gets the environment variables that issuer_env names, and no others")
{
    ProgramLab lab;
    lab.options.issuer_env = {"ACMETOOL_TEST_TOKEN"};
    setenv("ACMETOOL_TEST_TOKEN", "secret", 1);
    setenv("ACMETOOL_TEST_OTHER", "other", 1);
    lab.open_with("printf '%s,%s' \"$ACMETOOL_TEST_TOKEN\" \"$ACMETOOL_TEST_OTHER\" >seen\nexit 1");
    static_cast<void>(lab.enrol(Lab::request(lab.device, lab.csr)));
    CHECK(lab.read("seen") == "secret,");
    unsetenv("ACMETOOL_TEST_TOKEN");
    unsetenv("ACMETOOL_TEST_OTHER");
}

TEST_CASE("OPR-24: outcomes: which of a success and a failure came last, also in one second or with the "
          "clock set back")
{
    const base::TimePoint noon{std::chrono::seconds{1'800'000'000}};
    ra::Outcomes outcomes;
    const auto told = [&outcomes] {
        base::Json status = base::Json::object();
        outcomes.add_to(status);
        return status;
    };
    CHECK(told() == base::Json::object());
    outcomes.succeeded(noon);
    CHECK(told() == base::Json{{"lastSuccess", base::to_rfc3339(noon)}, {"lastOutcome", "issued"}});
    outcomes.failed(noon, "no");
    CHECK(told() == base::Json{{"lastSuccess", base::to_rfc3339(noon)},
                               {"lastFailure", base::to_rfc3339(noon)},
                               {"lastError", "no"},
                               {"lastOutcome", "failed"}});
    outcomes.succeeded(noon);
    CHECK(told()["lastOutcome"] == "issued");
    outcomes.failed(noon - std::chrono::hours{1}, "again");
    CHECK(told()["lastOutcome"] == "failed");
    CHECK(told()["lastError"] == "again");
}
