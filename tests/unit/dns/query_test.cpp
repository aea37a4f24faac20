#include <doctest/doctest.h>

#include "dns/query.h"

using namespace acmetool;

namespace
{

/// A message with Id 0x1234 and one question for a.Example TXT, plus what follows.
Bytes message(std::uint8_t flags, std::uint8_t rcode, std::string_view more = {})
{
    Bytes octets{0x12, 0x34, flags, rcode, 0,   1,   0,   0,   0, 0, 0,  0, 1, 'a',
                 7,    'E',  'x',   'a',   'm', 'p', 'l', 'e', 0, 0, 16, 0, 1};
    octets.insert(octets.end(), more.begin(), more.end());
    return octets;
}

constexpr std::uint8_t kQuery = 0x01;    // RD
constexpr std::uint8_t kReply = 0x80;    // QR
constexpr std::uint8_t kUpdate = 5 << 3; // opcode

Bytes changed(Bytes octets, std::size_t at, std::uint8_t value)
{
    octets.at(at) = value;
    return octets;
}

Bytes without_question(Bytes octets)
{
    octets.resize(12);
    octets[5] = 0;
    return octets;
}

} // namespace

TEST_CASE("SEC-30: a reply has Id, opcode and question of what was asked, and says that it is a reply")
{
    const auto asked = message(kQuery, 0);
    CHECK(dns::is_reply_to(asked, message(kReply, 0)));
    CHECK(dns::is_reply_to(asked, message(kReply, 3, "whatever follows")));
    CHECK(dns::is_reply_to(asked, changed(message(kReply, 0), 15, 'e'))); // case of the name
    const struct {
        const char* what;
        Bytes reply;
    } strangers[] = {
        {"nothing", {}},
        {"a header cut off", Bytes(11, 0)},
        {"our own query", asked},
        {"another Id", changed(message(kReply, 0), 1, 0x35)},
        {"another opcode", message(kReply | kUpdate, 0)},
        {"another name", changed(message(kReply, 0), 13, 'b')},
        {"another type", changed(message(kReply, 0), 24, 1)},
        {"another class", changed(message(kReply, 0), 26, 3)},
        {"two questions", changed(message(kReply, 0), 5, 2)},
        {"256 questions", changed(changed(message(kReply, 0), 4, 1), 5, 0)},
        {"no question", without_question(message(kReply, 0))},
        {"no question, NXDOMAIN", without_question(message(kReply, 3))},
        {"no question, REFUSED", without_question(message(kReply, 5))},
    };
    for (const auto& stranger : strangers) {
        CAPTURE(stranger.what);
        CHECK_FALSE(dns::is_reply_to(asked, stranger.reply));
    }
    auto cut = message(kReply, 0);
    cut.pop_back();
    CHECK_FALSE(dns::is_reply_to(asked, cut));
    // The server could not read the question; RFC 2136 section 3.8 lets answers to updates be without.
    CHECK(dns::is_reply_to(asked, without_question(message(kReply, 1))));
    CHECK(dns::is_reply_to(asked, without_question(message(kReply, 4))));
    CHECK(dns::is_reply_to(message(kUpdate, 0), without_question(message(kReply | kUpdate, 0))));
    CHECK_FALSE(dns::is_reply_to(message(kUpdate, 0), changed(message(kReply | kUpdate, 0), 13, 'b')));
}

TEST_CASE("SEC-30: of an answer only what its CNAMEs lead to counts")
{
    using dns::Record;
    using dns::Type;
    const std::vector<Record> answers{{"end.example", Type::txt, "good"},
                                      {"stranger.example", Type::txt, "bad"},
                                      {"alias.example", Type::cname, "end.example"},
                                      {"a.example", Type::cname, "alias.example"},
                                      {"end.example", Type::a, "192.0.2.1"},
                                      {"b.example", Type::cname, "stranger.example"},
                                      {"loop.example", Type::cname, "loop.example"},
                                      {"loop.example", Type::txt, "bad"}};
    const auto text = [&](const std::string& name, Type type) {
        std::string words;
        for (const auto& record : dns::chain_of(answers, name, type))
            words += record.data + " ";
        return words;
    };
    CHECK(text("A.Example.", Type::txt) == "alias.example end.example good ");
    CHECK(text("end.example", Type::txt) == "good ");
    CHECK(text("end.example", Type::a) == "192.0.2.1 ");
    CHECK(text("a.example", Type::cname) == "alias.example end.example ");
    CHECK(text("victim.example", Type::txt).empty());
    CHECK(text("loop.example", Type::txt).find("bad") == std::string::npos);
}

TEST_CASE("FLD-A5: resolv.conf: three servers at most, options with the limits of resolv.conf(5), anything "
          "else skipped")
{
    const auto text = [](const dns::Resolver& resolver) {
        return resolver.text() + " " + std::to_string(resolver.timeout.count()) + " " +
               std::to_string(resolver.attempts) + (resolver.rotate ? " rotate" : "");
    };
    CHECK(text(dns::parse_resolv_conf("")) == "127.0.0.1:53 2000 3");
    CHECK(text(dns::parse_resolv_conf(
              "search example.com\nnameserver\nnameserver ns.example\n;nameserver 192.0.2.9\n")) ==
          "127.0.0.1:53 2000 3");
    CHECK(text(dns::parse_resolv_conf(
              "nameserver 192.0.2.1\r\n\tnameserver\t2001:db8::1  # second\nnameserver 192.0.2.3\n"
              "nameserver 192.0.2.4\noptions rotate timeout:7 attempts:4")) ==
          "192.0.2.1:53, [2001:db8::1]:53, 192.0.2.3:53 7000 4 rotate");
    CHECK(text(dns::parse_resolv_conf("options timeout:99999999999 attempts:100")) == "127.0.0.1:53 30000 5");
    CHECK(
        text(dns::parse_resolv_conf("options timeout:0 attempts:0 timeout:-1 attempts:x timeout: rotated")) ==
        "127.0.0.1:53 2000 3");
    CHECK(text(dns::parse_resolv_conf("options attempts:1\noptions timeout:1\n")) == "127.0.0.1:53 1000 1");
    CHECK(dns::resolver_of("192.0.2.7:5353")->text() == "192.0.2.7:5353");
    CHECK_FALSE(dns::resolver_of("192.0.2.7:x"));
}

TEST_CASE("DISC-01a: the reply of Avahi: instance, port, host and link-local address")
{
    const std::string_view kReply{
        "\x12\x34\x84\x00\x00\x01\x00\x04\x00\x00\x00\x00\x10_brski-registrar\x04_"
        "tcp\x05local\x00\x00\x0c\x00\x01\xc0"
        "\x0c\x00\x0c\x00\x01\x00\x00\x00\n\x00\x14\x11The Registrar "
        "1.0\xc0\x0c\xc0\x39\x00\x10\x00\x01\x00\x00\x00\n\x00\x01"
        "\x00\xc0\x39\x00\x21\x00\x01\x00\x00\x00\n\x00\x0f\x00\x00\x00\x00 \xfb\x06"
        "dstest\xc0\x22\xc0\x6c\x00\x1c\x00\x01\x00\x00\x00\n\x00\x10\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00"
        "\x01",
        145};
    auto asked = *dns::query_message("_brski-registrar._tcp.local", dns::Type::ptr, false);
    CHECK_FALSE(dns::is_reply_to(asked, as_bytes(kReply)));
    asked[0] = 0x12;
    asked[1] = 0x34;
    CHECK(dns::is_reply_to(asked, as_bytes(kReply)));
    const auto answer = *dns::parse_answer(as_bytes(kReply));
    REQUIRE(answer.answers.size() == 4);
    const std::string instance = R"(the\032registrar\0321\.0._brski-registrar._tcp.local)";
    CHECK(answer.answers[0].type == dns::Type::ptr);
    CHECK(answer.answers[0].data == instance);
    CHECK(answer.answers[2].type == dns::Type::srv);
    CHECK(answer.answers[2].owner == instance);
    CHECK(answer.answers[2].data == "0 0 8443 dstest.local");
    CHECK(answer.answers[3].data == "fe80::1");
    // Its name can be asked for again.
    const auto again = *dns::query_message(instance, dns::Type::srv, false);
    CHECK(std::string{as_text(again)}.find("\x11The Registrar 1.0") == std::string::npos);
    CHECK(std::string{as_text(again)}.find("\x11the registrar 1.0\x10_brski-registrar") != std::string::npos);
}
