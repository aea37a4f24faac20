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
