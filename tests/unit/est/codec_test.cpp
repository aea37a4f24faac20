#include <doctest/doctest.h>

#include "base/base64url.h"
#include "est/codec.h"

using namespace acmetool;
using est::BodyForm;

namespace
{

/// A SEQUENCE of `size` octets in all.
Bytes sequence(std::size_t size)
{
    Bytes der(size, 0xa5);
    der[0] = 0x30;
    if (size < 0x80) {
        der[1] = static_cast<std::uint8_t>(size - 2);
    } else {
        der[1] = 0x82;
        der[2] = static_cast<std::uint8_t>((size - 4) >> 8U);
        der[3] = static_cast<std::uint8_t>(size - 4);
    }
    return der;
}

std::string with_line_ends(std::string text, std::string_view end)
{
    std::string out;
    for (const char c : text)
        c == '\n' ? out += end : out += c;
    return out;
}

void takes(const std::string& body, const Bytes& der, BodyForm form)
{
    CAPTURE(body.substr(0, 100));
    const auto found = est::parse_body(body);
    REQUIRE(found);
    CHECK(found->der == der);
    CHECK(found->form == form);
}

} // namespace

TEST_CASE("ESTC-07a, ESTS-18a, ESTS-18c: a body is taken in every form that peers send, and the form is told")
{
    for (const std::size_t size : {300U, 301U, 302U, 3000U}) {
        const auto der = sequence(size);
        for (const std::size_t wrap : {1U, 19U, 64U, 76U}) {
            takes(est::to_body(der, wrap), der, BodyForm::lines);
            takes(with_line_ends(est::to_body(der, wrap), "\r\n"), der, BodyForm::lines);
            takes(with_line_ends(est::to_body(der, wrap), "\r"), der, BodyForm::lines);
            takes(with_line_ends(est::to_body(der, wrap), " \t\n\n "), der, BodyForm::lines);
        }
        const auto line = base::to_base64(der);
        for (const auto* end : {"", "\n", "\r\n", " \r\n\r\n"})
            takes(line + end, der, BodyForm::one_line);
        for (const auto* label :
             {"PKCS7", "CMS", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "anything"}) {
            const std::string begin = "-----BEGIN " + std::string{label} + "-----\n";
            const std::string end = "-----END " + std::string{label} + "-----\n";
            takes(begin + est::to_body(der) + end, der, BodyForm::pem);
            takes("text\r\n" + with_line_ends(begin + est::to_body(der) + end, "\r\n"), der, BodyForm::pem);
            takes(begin + line + "\n" + end.substr(0, end.size() - 1), der, BodyForm::pem);
        }
        takes(std::string{as_text(der)}, der, BodyForm::der);
    }
    takes(std::string{"\x30\0", 2}, sequence(2), BodyForm::der);
    takes("MAA=", sequence(2), BodyForm::one_line);
    takes(" \r\n", {}, BodyForm::one_line);
    takes("", {}, BodyForm::one_line);
}

TEST_CASE("FLD-E1: NULs at the end of text, as programs in C send them, do not count")
{
    using namespace std::string_literals;
    const auto der = sequence(300);
    takes(est::to_body(der) + "\0"s, der, BodyForm::lines);
    takes(est::to_body(der) + "\0\0\0"s, der, BodyForm::lines);
    takes(est::to_body(der) + "\0\r\n"s, der, BodyForm::lines);
    takes(base::to_base64(der) + "\0"s, der, BodyForm::one_line);
    takes("-----BEGIN PKCS7-----\n" + est::to_body(der) + "-----END PKCS7-----\n\0"s, der, BodyForm::pem);
    takes("\0"s, {}, BodyForm::one_line);
    CHECK(est::parse_body(est::to_body(der) + "\0"s, {.strict = true}));
    CHECK_FALSE(est::parse_body("MA\0A="s));
    CHECK_FALSE(est::parse_body("\0MAA="s));
}

TEST_CASE("ESTS-18c: the strict mode takes base64 alone")
{
    const auto der = sequence(300);
    const auto strict = [](const std::string& body) { return est::parse_body(body, {.strict = true}); };
    CHECK(strict(est::to_body(der)));
    CHECK(strict(with_line_ends(est::to_body(der), "\t\r\n")));
    CHECK(strict(base::to_base64(der)));
    for (const auto& body : {std::string{as_text(der)},
                             "-----BEGIN PKCS7-----\n" + est::to_body(der) + "-----END PKCS7-----\n"}) {
        const auto refused = strict(body);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::bad_input);
        CHECK(refused.error().reason.word() == "notStrictBase64");
    }
}

TEST_CASE("ESTS-06a, ESTS-06b: what is no body is refused with its reason")
{
    const auto reason = [](std::string_view body, std::size_t limit = 1000) {
        const auto refused = est::parse_body(body, {.limit = limit});
        return refused ? std::string{} : refused.error().reason.word();
    };
    CHECK(reason("MAA") == "notBase64");
    CHECK(reason("MAA=!") == "notBase64");
    CHECK(reason("MA A=\n=") == "notBase64");
    CHECK(reason("<html>") == "notBase64");
    CHECK(reason("-----BEGIN PKCS7-----\nMAA=\n") == "notBase64");
    CHECK(reason("-----BEGIN PKCS7") == "notBase64");
    CHECK(reason("Zm9vYmFy") == "notDer");
    CHECK(reason({"\x30\x05\0\0", 4}) == "notBase64");
    CHECK(reason("MAA=\n", 4) == "bodyTooLarge");
}

TEST_CASE("ESTS-10a: bodies are wrapped at 64 or one line, and one line answers one line")
{
    const auto der = sequence(100);
    const auto wrapped = est::to_body(der);
    CHECK(wrapped.find('\n') == 64);
    CHECK(wrapped.back() == '\n');
    CHECK(est::to_body(der, 0) == base::to_base64(der) + "\n");
    CHECK(est::to_body(sequence(48)).size() == 65);
    CHECK(est::wrap_for(BodyForm::one_line) == 0);
    for (const auto form : {BodyForm::lines, BodyForm::pem, BodyForm::der})
        CHECK(est::wrap_for(form) == 64);
}
