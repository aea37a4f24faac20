#include <doctest/doctest.h>

#include "enrol/binding.h"

using namespace acmetool;
using enrol::Binding;

namespace
{

Binding compare(const std::optional<std::string>& password, const std::optional<crypto::ChannelBinding>& own)
{
    crypto::Csr csr;
    csr.challenge_password = password;
    return enrol::compare_binding(csr, own);
}

} // namespace

TEST_CASE("the binding of the connection is compared in base64, however the client breaks the line")
{
    const crypto::ChannelBinding own{"tls-exporter", Bytes(32, 0x5a)};
    const auto text = own.to_base64();
    CHECK(compare(text, own) == Binding::matches);
    CHECK(compare(text.substr(0, 20) + "\r\n " + text.substr(20) + "\n", own) == Binding::matches);
    CHECK(compare(text.substr(1), own) == Binding::differs);
    CHECK(compare("password", own) == Binding::differs);
    CHECK(compare(text, crypto::ChannelBinding{"tls-exporter", Bytes(32, 0x5b)}) == Binding::differs);
    CHECK(compare(text, std::nullopt) == Binding::differs);
}

TEST_CASE("a request without password has no binding")
{
    const crypto::ChannelBinding own{"tls-unique", Bytes(12, 1)};
    for (const auto& none : {std::optional<std::string>{}, std::optional<std::string>{""}}) {
        CHECK(compare(none, own) == Binding::absent);
        CHECK(compare(none, std::nullopt) == Binding::absent);
    }
}
