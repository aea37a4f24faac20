#include <doctest/doctest.h>

#include "enrol/registration_authority.h"

using namespace acmetool;
using enrol::Refusal;

TEST_CASE("refusals keep their stored numbers and their names in logs")
{
    const std::vector<std::pair<Refusal, std::string_view>> kNames{
        {Refusal::unauthenticated, "unauthenticated"},
        {Refusal::forbidden, "forbidden"},
        {Refusal::bad_request, "badRequest"},
        {Refusal::bad_identity, "badIdentity"},
        {Refusal::pop_failed, "popFailed"},
        {Refusal::not_found, "notFound"},
        {Refusal::too_many, "tooMany"},
        {Refusal::unavailable, "unavailable"},
        {Refusal::internal, "internalCAError"},
        {Refusal::unsupported_algorithm, "unsupportedAlgorithm"},
        {Refusal::unsupported_extension, "unsupportedExtension"}};
    int number = 0;
    for (const auto& [refusal, name] : kNames) {
        CHECK(enrol::name_of(refusal) == name);
        CHECK(static_cast<int>(refusal) == number++);
    }
}
