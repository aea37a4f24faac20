#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "brski/manufacturer.h"
#include "http/server.h"
#include "registrar/masa_client.h"

namespace acmetool::registrar
{

using namespace std::chrono_literals;

namespace
{

/// A MASA over HTTPS that gives prepared answers, the last one again and again, and its client.
struct MasaLab final : enrol::EventSink {
    std::string folder = (std::filesystem::temp_directory_path() / "masa-client-XXXXXX").string();
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<http::ServerResponse> answers;
    std::vector<http::ServerRequest> requests;
    std::vector<MasaAnswer> heard;
    bool forgets = false; ///< the question, as soon as it has an answer
    std::unique_ptr<http::Server> server;
    Options options;
    ManufacturerOptions manufacturer;
    http::MultiClientWait* const transfers = new http::MultiClientWait();
    base::Worker worker{"test", std::unique_ptr<base::Worker::Wait>{transfers}};
    std::unique_ptr<Masa> masa;
    std::vector<base::Message> messages;

    void event(const base::Json& /*event*/) override {}
    bool traces() const override { return true; }
    void message(const base::Message& message) override
    {
        const std::lock_guard lock{mutex};
        messages.push_back(message);
    }

    MasaLab()
    {
        REQUIRE(mkdtemp(folder.data()) != nullptr);
        const auto maker = brski::open_manufacturer(folder, base::now());
        REQUIRE(maker);
        REQUIRE(brski::make_tls_certificate(*maker, folder, {"127.0.0.1"}, base::now()));
        http::ServerOptions settings;
        settings.certificate_file = folder + "/masa-tls.pem";
        settings.key_file = folder + "/masa-tls.key";
        auto started = http::Server::start(
            settings, http::Server::Handler{[this](const http::ServerRequest& request) {
                const std::lock_guard lock{mutex};
                requests.push_back(request);
                auto answer = answers.empty() ? http::ServerResponse{404, {}, "", false} : answers.front();
                if (answers.size() > 1) answers.pop_front();
                return answer;
            }});
        REQUIRE(started);
        server = std::move(*started);
        manufacturer.name = "maker";
        manufacturer.masa_ca = folder + "/vendor.pem";
        manufacturer.masa_hosts = {host()};
        manufacturer.private_addresses = true;
    }
    ~MasaLab() override
    {
        masa.reset();
        worker.stop();
        server.reset();
        std::filesystem::remove_all(folder);
    }
    MasaLab(const MasaLab&) = delete;
    MasaLab& operator=(const MasaLab&) = delete;

    std::string host() const { return "127.0.0.1:" + std::to_string(server->port()); }
    MasaSettings settings() const
    {
        auto read = read_masa_settings(options, manufacturer);
        REQUIRE(read);
        return std::move(*read);
    }
    void ask(MasaQuestion::What what = MasaQuestion::What::voucher)
    {
        if (!masa) masa = std::move(*MasaClient::start(settings(), *this, {worker, *transfers}));
        MasaQuestion question;
        question.id = "device";
        question.what = what;
        question.request_id = "4f1d2c9a7b3e6058";
        question.masa_url = "https://" + host() + "/.well-known/brski";
        question.request = {'r', 'e', 'q'};
        question.media_type = "application/voucher-cms+json";
        question.accept = "application/voucher-jws+json";
        masa->ask(std::move(question), [this](MasaAnswer answer) {
            const std::lock_guard lock{mutex};
            if (forgets) masa->forget("device");
            heard.push_back(std::move(answer));
            changed.notify_all();
        });
    }
    MasaAnswer answer(std::size_t number)
    {
        std::unique_lock lock{mutex};
        REQUIRE(changed.wait_for(lock, 120s, [&] { return heard.size() > number; }));
        return heard[number];
    }
    std::size_t request_count()
    {
        const std::lock_guard lock{mutex};
        return requests.size();
    }
    MasaRefusal refusal(std::size_t number) { return std::get<MasaRefusal>(answer(number)); }
};

http::ServerResponse says(int status, const std::string& body, http::Headers headers = {})
{
    return {status, std::move(headers), body, false};
}

} // namespace

TEST_CASE("The MASA gets the request as it is, and its document comes back with its type")
{
    MasaLab lab;
    lab.answers = {says(200, "voucher", {{"Content-Type", "application/voucher-jws+json"}})};
    lab.ask();
    const auto document = std::get<MasaDocument>(lab.answer(0));
    CHECK(as_text(document.octets) == "voucher");
    CHECK(document.type == "application/voucher-jws+json");
    REQUIRE(lab.request_count() == 1);
    const auto& request = lab.requests.front();
    CHECK(request.method == "POST");
    CHECK(request.target == "/.well-known/brski/requestvoucher");
    CHECK(request.body == "req");
    CHECK(http::find(request.headers, "content-type") == "application/voucher-cms+json");
    CHECK(http::find(request.headers, "accept") == "application/voucher-jws+json");
}

TEST_CASE("TRC-01a: requests to a MASA and its answers are in the trace, with the ID of the pledge's request")
{
    MasaLab lab;
    lab.answers = {says(503, "later", {{"Retry-After", "1"}}), says(200, "voucher"), says(404, "no log")};
    lab.ask();
    lab.answer(1);
    lab.ask(MasaQuestion::What::audit_log);
    lab.answer(2);
    std::vector<std::string> drawn;
    for (const auto& one : lab.messages) {
        drawn.push_back(one.from + ">" + one.to + " " + one.label);
        CHECK(one.request_id == "4f1d2c9a7b3e6058");
    }
    CHECK(drawn == std::vector<std::string>{"ra>masa POST /requestvoucher", "masa>ra 503 Retry-After=1",
                                            "ra>masa POST /requestvoucher", "masa>ra 200 voucher",
                                            "ra>masa POST /requestauditlog", "masa>ra 404"});
    CHECK(lab.messages[1].detail == "later");
    CHECK(lab.messages[5].detail == "no log");
    CHECK(lab.messages[0].url == "https://" + lab.host() + "/.well-known/brski/requestvoucher");
}

TEST_CASE("A MASA that is not ready, or fails, is asked again after Retry-After or a second")
{
    MasaLab lab;
    lab.answers = {says(202, "", {{"Retry-After", "1"}}), says(503, "busy"), says(200, "voucher")};
    const auto begun = std::chrono::steady_clock::now();
    lab.ask();
    CHECK(std::get<MasaDelay>(lab.answer(0)).why == "the MASA answered 202");
    CHECK(std::get<MasaDelay>(lab.answer(0)).cause == Cause::none);
    CHECK(std::get<MasaDelay>(lab.answer(1)).why == "the MASA answered 503: busy");
    CHECK(std::get<MasaDelay>(lab.answer(1)).cause == Cause::masa_silent);
    CHECK(std::holds_alternative<MasaDocument>(lab.answer(2)));
    // The backoff began with a second and doubled: it is not begun anew by Retry-After.
    CHECK(std::chrono::steady_clock::now() - begun >= 3s);
    CHECK(lab.request_count() == 3);
}

TEST_CASE("A MASA's refusals have causes (BRR-04a, BRR-04b, BRR-04c)")
{
    MasaLab lab;
    lab.answers = {says(404, "who?"), says(406, ""), says(403, "no"), says(307, ""), says(401, "")};
    for (std::size_t i = 0; i < 5; ++i) {
        lab.ask();
        lab.answer(i);
    }
    CHECK(lab.refusal(0).cause == Cause::masa_unknown);
    CHECK(lab.refusal(0).why == "the MASA answered 404: who?");
    CHECK(lab.refusal(1).cause == Cause::masa_no_such_format);
    CHECK(lab.refusal(2).cause == Cause::masa_refused);
    CHECK(lab.refusal(3).cause == Cause::masa_refused);
    CHECK(lab.refusal(4).cause == Cause::masa_refused); // there is no password for it
}

TEST_CASE("An audit log may be at another place of the same MASA (BRR-12a, SEC-06)")
{
    MasaLab lab;
    SUBCASE("there")
    {
        lab.answers = {says(201, "", {{"Location", "/logs/1"}}), says(200, "log")};
        lab.ask(MasaQuestion::What::audit_log);
        CHECK(as_text(std::get<MasaDocument>(lab.answer(0)).octets) == "log");
        REQUIRE(lab.request_count() == 2);
        CHECK(lab.requests[0].target == "/.well-known/brski/requestauditlog");
        CHECK(lab.requests[1].method == "GET");
        CHECK(lab.requests[1].target == "/logs/1");
    }
    SUBCASE("elsewhere")
    {
        lab.answers = {says(201, "", {{"Location", "https://169.254.169.254/log"}})};
        lab.ask(MasaQuestion::What::audit_log);
        CHECK(lab.refusal(0).cause == Cause::bad_audit_log);
    }
    SUBCASE("refused")
    {
        lab.answers = {says(404, "")};
        lab.ask(MasaQuestion::What::audit_log);
        CHECK(lab.refusal(0).cause == Cause::bad_audit_log);
        CHECK(lab.refusal(0).why == "audit log: the MASA answered 404");
    }
}

TEST_CASE("A MASA that wants a password gets it, and is not asked again if it is wrong (BRR-11c)")
{
    MasaLab lab;
    std::ofstream{lab.folder + "/login"} << "registrar:secret\n";
    lab.manufacturer.masa_credentials = lab.folder + "/login";
    const auto wants = says(401, "", {{"WWW-Authenticate", "Basic realm=\"masa\""}});
    SUBCASE("right")
    {
        lab.answers = {wants, says(200, "voucher")};
        lab.ask();
        CHECK(std::holds_alternative<MasaDocument>(lab.answer(0)));
        REQUIRE(lab.request_count() == 2);
        CHECK_FALSE(http::find(lab.requests[0].headers, "authorization"));
        CHECK(http::find(lab.requests[1].headers, "authorization"));
    }
    SUBCASE("wrong")
    {
        lab.answers = {wants};
        lab.ask();
        CHECK(lab.refusal(0).cause == Cause::masa_refused);
        CHECK(lab.request_count() == 2);
    }
}

TEST_CASE("Other settings have open questions asked again, and count for them (SEC-06)")
{
    MasaLab lab;
    lab.answers = {says(202, "", {{"Retry-After", "60"}}), says(200, "voucher")};
    lab.ask();
    lab.answer(0);
    SUBCASE("at once")
    {
        lab.masa->use(lab.settings());
        CHECK(std::holds_alternative<MasaDocument>(lab.answer(1)));
    }
    SUBCASE("not at a MASA that is no longer allowed")
    {
        lab.manufacturer.masa_hosts = {"masa.example.com"};
        lab.masa->use(lab.settings());
        CHECK(lab.refusal(1).cause == Cause::masa_not_allowed);
        CHECK(lab.request_count() == 1);
    }
}

TEST_CASE("A question that is forgotten is not asked again")
{
    MasaLab lab;
    lab.answers = {says(503, "")};
    lab.forgets = true; // here, it may be late: it is asked again after a second
    lab.ask();
    lab.answer(0);
    std::this_thread::sleep_for(1500ms);
    CHECK(lab.request_count() == 1);
}

} // namespace acmetool::registrar
