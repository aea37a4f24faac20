#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "base/base64url.h"
#include "brski/audit_log.h"
#include "brski/envelope.h"
#include "brski/idevid.h"
#include "brski/masa.h"
#include "brski/masa_service.h"
#include "brski/status.h"
#include "brski/voucher.h"

namespace acmetool::brski
{

TEST_CASE("A voucher and a request survive writing and reading in both formats (BRM-02a, BRP-01c)")
{
    const auto signer = test::make_identity("signer");
    Voucher voucher;
    voucher.assertion = "logged";
    voucher.serial_number = "SN-1";
    voucher.nonce = new_nonce();
    voucher.created_on = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    voucher.pinned_domain_cert = signer.certificate.der();
    voucher.est_domain = "est.example.com";
    for (const auto format : {Format::cms, Format::jws}) {
        const auto sealed = seal(to_json(voucher), format, {signer.key, {signer.certificate}});
        REQUIRE(sealed);
        CHECK(sealed->front() == (format == Format::cms ? 0x30 : '{')); // DER and JSON, no base64
        const auto envelope = parse_envelope(*sealed);
        REQUIRE(envelope);
        CHECK(envelope->format == format);
        const auto chain = verify_signature(*envelope);
        REQUIRE(chain);
        CHECK(chain->front().der() == signer.certificate.der());
        const auto read = parse_voucher(envelope->content);
        REQUIRE(read);
        CHECK(read->assertion == "logged");
        CHECK(read->serial_number == "SN-1");
        CHECK(read->nonce == voucher.nonce);
        CHECK(read->created_on == voucher.created_on);
        CHECK(read->pinned_domain_cert == voucher.pinned_domain_cert);
        CHECK(read->est_domain == "est.example.com");
    }
}

TEST_CASE("FLD-E1: vouchers as text and status messages may end in NUL, as programs in C send them")
{
    using namespace std::string_literals;
    const auto signer = test::make_identity("signer");
    const auto read = [](const std::string& text, Format format) {
        const auto envelope = parse_envelope(as_bytes(text), format);
        const auto content = unverified_content(as_bytes(text), format);
        return envelope && verify_signature(*envelope) && content && *content == "{}";
    };
    const auto cms = *seal("{}", Format::cms, {signer.key, {signer.certificate}});
    CHECK(read(base::to_base64(cms), Format::cms));
    CHECK(read(base::to_base64(cms) + "\n\0"s, Format::cms));
    const auto jws = *seal("{}", Format::jws, {signer.key, {signer.certificate}});
    CHECK(read(std::string{as_text(jws)} + "\0"s, Format::jws));
    CHECK_FALSE(read("\0"s + std::string{as_text(jws)}, Format::jws));
    CHECK(parse_status(R"({"version":1,"status":true})" + "\0"s));
}

TEST_CASE("A document that somebody changed does not verify")
{
    const auto signer = test::make_identity("signer");
    const auto other = test::make_identity("other");
    const auto sealed = *seal("{}", Format::jws, {signer.key, {signer.certificate}});
    std::string text{as_text(sealed)};
    const auto at = text.find("\"payload\":\"") + 11;
    text.replace(at, 3, "e30"); // the same
    CHECK(verify_signature(*parse_envelope(as_bytes(text))));
    text.replace(at, 3, "e31");
    const auto changed = parse_envelope(as_bytes(text));
    CHECK((!changed || !verify_signature(*changed)));
    CHECK_FALSE(seal("{}", Format::jws, {signer.key, {other.certificate}}));
    CHECK_FALSE(seal("{}", Format::cms, {signer.key, {other.certificate}}));
}

TEST_CASE("Documents without a serial number, with members twice or with broken leaves are refused")
{
    CHECK_FALSE(parse_voucher(R"({"ietf-voucher:voucher":{"assertion":"logged"}})"));
    CHECK_FALSE(parse_voucher(R"({"ietf-voucher-request:voucher":{"serial-number":"1"}})"));
    CHECK_FALSE(parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1","serial-number":"2"}})"));
    CHECK_FALSE(parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1","expires-on":"soon"}})"));
    CHECK_FALSE(parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1","nonce":"!"}})"));
    CHECK(parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1","assertion":"logged",)"
                        R"("created-on":"2026-01-01T00:00:00Z","new-leaf":{"a":1}}})"));
    CHECK(parse_voucher_request(R"({"ietf-voucher:voucher":{"serial-number":"1"}})"));
}

TEST_CASE("SEC-24, BRP-13a, BRP-13b: mandatory leaves and enumerations")
{
    const auto voucher = [](std::string_view more) {
        return parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1")" + std::string{more} + "}}")
            .has_value();
    };
    const std::string good = R"(,"assertion":"logged","created-on":"2026-01-01T00:00:00Z")";
    CHECK(voucher(good));
    CHECK_FALSE(voucher(R"(,"created-on":"2026-01-01T00:00:00Z")"));
    CHECK_FALSE(voucher(R"(,"assertion":"logged")"));
    CHECK_FALSE(voucher(R"(,"assertion":"certain","created-on":"2026-01-01T00:00:00Z")"));
    CHECK_FALSE(voucher(good + R"(,"domain-cert-revocation-checks":"true")"));
    CHECK(voucher(good + R"(,"domain-cert-revocation-checks":true)"));
    CHECK_FALSE(parse_voucher(
        R"({"ietf-voucher:voucher":{"assertion":"logged","created-on":"2026-01-01T00:00:00Z"}})"));
    const auto request = [](std::string_view leaves) {
        return parse_voucher_request(R"({"ietf-voucher-request:voucher":{)" + std::string{leaves} + "}}")
            .has_value();
    };
    CHECK(request(R"("serial-number":"1","assertion":"proximity")"));
    CHECK_FALSE(request(R"("serial-number":"1","assertion":"certain")"));
    CHECK_FALSE(request(R"("assertion":"proximity")"));
}

TEST_CASE("BRP-13c, BRP-13d: the length of nonces, and a nonce or expires-on")
{
    const auto voucher = [](std::string_view more) {
        return parse_voucher(R"({"ietf-voucher:voucher":{"serial-number":"1","assertion":"logged",)"
                             R"("created-on":"2026-01-01T00:00:00Z")" +
                             std::string{more} + "}}")
            .has_value();
    };
    CHECK(voucher(R"(,"expires-on":"2026-01-02T00:00:00Z")"));
    CHECK(voucher(R"(,"nonce":"AAAAAAAAAAAAAAAA")"));
    CHECK_FALSE(voucher(R"(,"expires-on":"2026-01-02T00:00:00Z","nonce":"AAAAAAAAAAAAAAAA")"));
    const auto request = [](std::string_view more) {
        return parse_voucher_request(R"({"ietf-voucher-request:voucher":{"serial-number":"1")" +
                                     std::string{more} + "}}")
            .has_value();
    };
    for (const std::size_t octets : {7U, 8U, 32U, 33U}) {
        CAPTURE(octets);
        const auto nonce = R"(,"nonce":")" + base::to_base64(Bytes(octets, 1)) + "\"";
        CHECK(voucher(nonce) == (octets >= 8 && octets <= 32));
        CHECK(request(nonce) == (octets >= 8 && octets <= 32));
    }
}

TEST_CASE("A certificate in a leaf is the known one if it is among them, else it is read (BRR-03b)")
{
    const auto one = test::make_identity("one").certificate;
    const auto other = test::make_identity("other").certificate;
    const auto found = parse_certificate(one.der(), {other, one});
    REQUIRE(found);
    CHECK(found->get() == one.get());
    const auto read = parse_certificate(one.der(), {other});
    REQUIRE(read);
    CHECK(read->get() != one.get());
    CHECK(read->sha256() == one.sha256());
    CHECK_FALSE(parse_certificate(as_bytes(one.to_pem() + other.to_pem())));
    CHECK_FALSE(parse_certificate({}, {one}));
}

TEST_CASE("Nonces are compared as octets in either alphabet")
{
    CHECK(same_nonce("-_XE9zK9q8Ll1qylMtLKeg", "+/XE9zK9q8Ll1qylMtLKeg=="));
    CHECK_FALSE(same_nonce("-_XE9zK9q8Ll1qylMtLKeg", "-_XE9zK9q8Ll1qylMtLKeQ"));
    CHECK_FALSE(same_nonce("", ""));
}

TEST_CASE("idevid-issuer is taken as extension content, in an OCTET STRING, or as bare key identifier "
          "(BRP-07)")
{
    const Bytes own{0x30, 0x04, 0x80, 0x02, 0xab, 0xcd};
    CHECK(same_idevid_issuer(own, own));
    CHECK(same_idevid_issuer(Bytes{0x04, 0x06, 0x30, 0x04, 0x80, 0x02, 0xab, 0xcd}, own));
    CHECK(same_idevid_issuer(Bytes{0xab, 0xcd}, own));
    CHECK_FALSE(same_idevid_issuer(Bytes{0xab, 0xce}, own));
    CHECK_FALSE(same_idevid_issuer(Bytes{}, Bytes{}));
}

TEST_CASE("Accept chooses the format by weight (BRR-04c)")
{
    CHECK(choose_format("", Format::cms) == Format::cms);
    CHECK(choose_format("*/*", Format::jws) == Format::jws);
    CHECK(choose_format("application/voucher-jws+json", Format::cms) == Format::jws);
    CHECK(choose_format("application/voucher-cms+json;q=0.5, application/voucher-jws+json", Format::cms) ==
          Format::jws);
    CHECK(choose_format("application/voucher-cms+json, */*;q=0.1", Format::jws) == Format::cms);
    CHECK_FALSE(choose_format("text/html", Format::cms));
    CHECK_FALSE(choose_format("application/voucher-cms+json;q=0", Format::cms));
}

TEST_CASE("The MASA URL is always HTTPS, with the well-known path where there is none (BRR-05b, BRR-05c)")
{
    CHECK(*parse_masa_url("masa.example.com") == "https://masa.example.com/.well-known/brski");
    CHECK(*parse_masa_url("masa.example.com:9443") == "https://masa.example.com:9443/.well-known/brski");
    CHECK(*parse_masa_url("https://masa.example.com/brski/") == "https://masa.example.com/brski");
    CHECK(*parse_masa_url("masa.example.com/own") == "https://masa.example.com/own");
    CHECK_FALSE(parse_masa_url("http://masa.example.com/"));
    CHECK_FALSE(parse_masa_url("ftp://masa.example.com/"));
    CHECK_FALSE(parse_masa_url("user@masa.example.com"));
    CHECK_FALSE(parse_masa_url(""));
}

TEST_CASE(
    "Status messages: keys in any case, version as number or text, unknown ones told (BRP-09a, BRR-13b)")
{
    std::string unknown;
    const auto status = parse_status(
        R"({"Version":"1","Status":true,"Reason":"well","new":1,"reason-context":{"a":1}})", &unknown);
    REQUIRE(status);
    CHECK(status->status);
    CHECK(status->reason == "well");
    CHECK(unknown == "new");
    CHECK(to_json({false, "no", "{\"a\":1}"}) ==
          R"({"reason":"no","reason-context":{"a":1},"status":false,"version":1})");
    CHECK_FALSE(parse_status(R"({"version":2,"status":true})"));
    CHECK_FALSE(parse_status(R"({"version":1})"));
    CHECK_FALSE(parse_status(R"({"version":1,"status":"true"})"));
}

TEST_CASE("An audit log is judged by domain, nonce and what was left out (BRR-12b)")
{
    const auto date = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    AuditLog log;
    log.events.push_back({date, "own", "AAAAAAAAAAAAAAAAAAAAAA==", "proximity", 0});
    AuditPolicy policy;
    const auto judged = [&] {
        return judge(*parse_audit_log(to_json(log)), policy, {"own", "AAAAAAAAAAAAAAAAAAAAAA", {}});
    };
    CHECK(judged());
    log.arbitrary = 1;
    CHECK_FALSE(judged());
    log.arbitrary = 0;
    log.events.push_back({date, "other", "AAAAAAAAAAAAAAAAAAAAAB==", "logged", 0});
    REQUIRE_FALSE(judged());
    CHECK(judged().error().reason.word() == "auditLog");
    policy.known_domains = {"other"};
    CHECK(judged());
    log.events.back().nonce.clear();
    CHECK_FALSE(judged());
    policy.allow_nonceless = true;
    CHECK(judged());
    log.events.erase(log.events.begin());
    CHECK_FALSE(judged());
}

TEST_CASE("SEC-13: an event with the registrar's domainID is its own only if it asked with that nonce")
{
    const auto date = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    const std::string now = "AAAAAAAAAAAAAAAAAAAAAA==";
    const std::string before = "BBBBBBBBBBBBBBBBBBBBBA==";
    AuditLog log;
    log.events = {{date, "own", now, "proximity", 0}, {date, "own", before, "proximity", 0}};
    AuditPolicy policy;
    OwnVouchers own{"own", now, {}};
    const auto judged = [&] { return judge(log, policy, own); };
    REQUIRE_FALSE(judged());
    CHECK(judged().error().reason.word() == "auditLog");
    CHECK(judged().error().hint.find("known_domains") != std::string::npos);
    own.asked_before = {*nonce_octets(before)};
    CHECK(judged());
    log.events[1].nonce = "BBBBBBBBBBBBBBBBBBBBBA"; // the same octets
    CHECK(judged());

    // Nothing hides among what was left out for its domainID.
    log.events.pop_back();
    log.events[0].truncated = 1;
    CHECK(judged());
    log.events[0].truncated = 2;
    CHECK_FALSE(judged());
    policy.known_domains = {"own"};
    CHECK(judged());

    // A nonceless voucher in its name is nobody's that asked with a nonce.
    policy.known_domains.clear();
    policy.allow_nonceless = true;
    log.events[0].truncated = 0;
    log.events.push_back({date, "own", "", "logged", 0});
    CHECK_FALSE(judged());
}

TEST_CASE(
    "OPR-58, SEC-13: a domainID counts however a MASA writes it, and known domains hold the voucher just "
    "received")
{
    const auto date = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    const std::string nonce = "AAAAAAAAAAAAAAAAAAAAAA==";
    const Bytes octets{0xfb, 0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0xef};
    const auto base64 = base::to_base64(octets);
    auto unpadded = base64.substr(0, base64.find('='));
    auto upper = to_hex(octets);
    for (auto& digit : upper)
        digit = digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit;
    AuditLog log;
    log.events = {{date, base64, nonce, "proximity", 0}};
    AuditPolicy policy;
    OwnVouchers own{base64, nonce, {}};
    const auto judged = [&] { return judge(*parse_audit_log(to_json(log)), policy, own); };
    for (const auto& text : {base64, unpadded, base::to_base64url(octets), to_hex(octets), upper}) {
        CAPTURE(text);
        log.events.front().domain_id = text;
        CHECK(judged());
        log.events.front().nonce = "BBBBBBBBBBBBBBBBBBBBBA==";
        CHECK_FALSE(judged());
        log.events.front().nonce = nonce;
        // Of an earlier owner in known_domains as well.
        log.events.push_back({date, text, "", "logged", 0});
        log.events.front().domain_id = own.domain_id = "own";
        policy.allow_nonceless = true;
        CHECK_FALSE(judged());
        policy.known_domains = {base64};
        CHECK(judged());
        policy = {};
        log.events.pop_back();
        own.domain_id = base64;
    }
    // The MASA takes another certificate for the domain: whoever knows that may say so.
    log.events.front().domain_id = "other";
    REQUIRE_FALSE(judged());
    CHECK(judged().error().hint.find("add other to known_domains") != std::string::npos);
    policy.known_domains = {"other"};
    CHECK(judged());
    // Nothing else holds it: not another nonce, nor that other domains are not forbidden.
    log.events.front().nonce = "BBBBBBBBBBBBBBBBBBBBBA==";
    REQUIRE_FALSE(judged());
    CHECK(judged().error().message.find("is not in it") != std::string::npos);
    log.events.front().nonce = nonce;
    policy.known_domains.clear();
    policy.allow_other_domains = true;
    REQUIRE_FALSE(judged());
    CHECK(judged().error().message.find("is not in it") != std::string::npos);
}

TEST_CASE("SEC-13: the domainID is the key identifier, or the SHA-256 of the key (RFC 8995 section 5.8.2)")
{
    const auto plain = test::make_identity("without key identifier");
    CHECK(domain_id(plain.certificate) == base::to_base64(plain.key.spki_sha256()));
}

TEST_CASE("OPR-52: an owner list from a spreadsheet: a byte order mark, quoted fields")
{
    const std::string hex(64, 'a');
    const auto owners =
        parse_owners("\xEF\xBB\xBF\"SN-1\",\"" + hex + "\"\r\n\"X,1\"," + hex + "\r\n", "owners.csv");
    REQUIRE(owners);
    CHECK(owners->size() == 2);
    CHECK(owners->at("SN-1") == hex);
    CHECK(owners->at("X,1") == hex);
    const auto unclosed = parse_owners("\"SN-1," + hex + "\n", "owners.csv");
    REQUIRE(!unclosed);
    CHECK(unclosed.error().message == "owners.csv:1: a double quote is not closed");
    const auto semicolons =
        parse_owners("serial;owner\r\n\"X #1\";" + hex + " # the rack's\r\n;\r\n", "owners.csv");
    REQUIRE(semicolons);
    CHECK(semicolons->size() == 1);
    CHECK(semicolons->at("X #1") == hex);
    const auto unexplained = parse_owners("X-1;" + hex + "\n", "owners.csv");
    REQUIRE(!unexplained);
    CHECK(unexplained.error().message == "owners.csv:1: a semicolon outside double quotes");
    CHECK(unexplained.error().hint.find("heading") != std::string::npos);
}

TEST_CASE("OPR-52: a cloud list from a spreadsheet; what is wrong with a line is said, and names the line")
{
    const auto list = parse_cloud_list("\xEF\xBB\xBFserial;what;where\r\n"
                                       "\"X,#1\";redirect;https://ra.example/#a # the owner's\r\n",
                                       "cloud.csv");
    REQUIRE(list);
    REQUIRE(list->size() == 1);
    CHECK(list->at("X,#1").redirect == "https://ra.example/#a");
    const std::string other = "\nSN-2,redirect,https://ra.example";
    for (const auto& [line, message] : std::map<std::string, std::string>{
             {"\"SN-1,redirect,https://ra.example", "a double quote is not closed"},
             {"SN-1;redirect;https://ra.example", "a semicolon outside double quotes"},
             {"SN-1,redirect", "neither \"serial,redirect,URL\" nor \"serial,est,DOMAIN,FILE\""},
             {",redirect,https://ra.example",
              "neither \"serial,redirect,URL\" nor \"serial,est,DOMAIN,FILE\""},
             {"SN-2,redirect,https://ra.example", "SN-2 is listed twice"}}) {
        CAPTURE(line);
        const auto wrong = parse_cloud_list("# devices" + other + "\n\n" + line + "\n", "cloud.csv");
        REQUIRE(!wrong);
        CHECK(wrong.error().code == Errc::config);
        CHECK(wrong.error().message == "cloud.csv:4: " + message);
    }
    for (const auto* line : {"SN-1,redirect,ftp://ra.example", "SN-1,est,example.com,/absent/ca.pem"}) {
        CAPTURE(line);
        const auto wrong = parse_cloud_list(line, "cloud.csv");
        REQUIRE(!wrong);
        CHECK(wrong.error().reason.word() == "badCloudList");
        CHECK(wrong.error().message.starts_with("cloud.csv:1: "));
        CHECK(wrong.error().message.size() > std::string_view{"cloud.csv:1: "}.size());
    }
}

TEST_CASE("SEC-11, SEC-13: an owner list names each device once, and owners by digest or certificate")
{
    std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-owners-XXXXXX").string();
    const std::filesystem::path folder{mkdtemp(pattern.data())};
    const auto owner = test::make_identity("owner");
    std::ofstream{folder / "owner.pem"} << owner.certificate.to_pem();
    std::ofstream{folder / "owners.csv"};
    const auto file = (folder / "owners.csv").string();
    const std::string hex(64, 'a');
    std::string colons;
    for (int i = 0; i < 32; ++i)
        colons += i == 0 ? "BB" : ":BB";
    const auto owners =
        parse_owners("# serial,OWNER\nSN-1, " + hex + "\n\nSN-2," + colons + "\nSN-3,owner.pem\n", file);
    REQUIRE(owners);
    CHECK(owners->at("SN-1") == hex);
    CHECK(owners->at("SN-2") == std::string(64, 'b'));
    CHECK(owners->at("SN-3") == to_hex(owner.key.spki_sha256()));
    CHECK(is_owner(owners->at("SN-3"), owner.certificate));
    CHECK(is_owner(to_hex(owner.certificate.sha256()), owner.certificate));
    CHECK_FALSE(is_owner(hex, owner.certificate));
    CHECK_FALSE(parse_owners("SN-1," + hex + "\nSN-1," + hex + "\n", file));
    CHECK_FALSE(parse_owners("SN-1\n", file));
    for (const auto* old : {"c29tZWJvZHk=", "BduJhdHPpfhQLyponf48JzXSGZ8=",
                            "05db8985d1cfa5f8502f2a689dfe3c2735d2199f", "absent.pem", "owners.csv"}) {
        const auto refused = parse_owners(std::string{"SN-1,"} + old + "\n", file);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::config);
        CHECK(refused.error().reason.word() == "badOwners");
        CHECK(refused.error().hint.find("-fingerprint -sha256") != std::string::npos);
    }
    std::filesystem::remove_all(folder);
}

} // namespace acmetool::brski
