#include "crypto/openssl.h"

#include <climits>

#include <fmt/core.h>
#include <openssl/err.h>

namespace acmetool::crypto
{

tl::unexpected<Error> openssl_failure(Errc code, std::string_view message, std::string hint)
{
    std::string text{message};
    const unsigned long first = ERR_get_error();
    if (first != 0) {
        const char* why = ERR_reason_error_string(first);
        text += fmt::format(": {}", why != nullptr ? why : "unknown OpenSSL error");
    }
    ERR_clear_error();
    return fail(code, std::move(text), std::move(hint));
}

std::string dotted(const ASN1_OBJECT* object)
{
    char text[256] = {};
    const int size = OBJ_obj2txt(text, sizeof text, object, 1);
    return size > 0 && size < static_cast<int>(sizeof text) ? std::string{text} : std::string{};
}

BioPtr memory_bio(std::string_view text)
{
    const auto size = text.size() > INT_MAX ? 0 : static_cast<int>(text.size());
    return BioPtr{BIO_new_mem_buf(text.data(), size)};
}

std::string contents(BIO* bio)
{
    const char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string{data, static_cast<std::size_t>(size)} : std::string{};
}

} // namespace acmetool::crypto
