// What an issuer program printed, after an octet that is its exit status; and what a device is told of it.
#include <cstddef>
#include <string_view>

#include "acme/order.h"
#include "base/text.h"
#include "ra/mapping.h"
#include "ra/program_output.h"

extern "C" int fuzz_program_issuer(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace std::chrono_literals;
    if (size == 0) return 0;
    const std::string output{reinterpret_cast<const char*>(data) + 1, size - 1};
    const auto outcome = ra::read_program_output({data[0], output, {}}, "issuer");
    if (!outcome) {
        const auto told = ra::refusal_of(outcome.error());
        const auto& error = outcome.error();
        if (base::printable(told.text, 10'000) != told.text ||
            base::printable(error.message, 10'000) != error.message ||
            (told.retry_after && (*told.retry_after < 0s || *told.retry_after > 24h)))
            __builtin_trap();
        return 0;
    }
    if (const auto* wait = std::get_if<ra::NotYet>(&*outcome)) {
        if (wait->retry_after < 1s || wait->retry_after > 1h) __builtin_trap();
        return 0;
    }
    // Whose certificate it is, nobody asked.
    static const auto key = *crypto::generate_key("ec:P-256");
    acme::OrderRequest request;
    request.identifiers = {{"dns", "sn-1.domain.com"}};
    request.key = key;
    if (acme::check_chain(std::get<std::vector<crypto::Certificate>>(*outcome), request, base::now()))
        __builtin_trap();
    return 0;
}
