// Problem documents.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "acme/problem.h"
#include "base/text.h"
#include "http/client.h"

extern "C" int fuzz_problem(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto problem = acmetool::acme::parse_problem(text))
        static_cast<void>(acmetool::acme::describe(*problem).size());
    // The same as the body of a reply: what comes out is for people.
    const acmetool::base::TimePoint now{std::chrono::seconds{1'800'000'000}};
    for (const int status : {400, 403, 503}) {
        acmetool::http::Response response;
        response.status = status;
        response.body = text;
        response.headers = {{"retry-after", std::string{text.substr(0, 40)}},
                            {"link", "<https://ca.example/tos>;rel=\"terms-of-service\""}};
        const auto error = acmetool::acme::error_of(response, now);
        for (const auto& shown : {error.message, error.hint})
            if (acmetool::base::printable(shown, shown.size() + 1) != shown) __builtin_trap();
    }
    return 0;
}
