#include "crypto/openssl.h"

#include <climits>
#include <ctime>

#include <openssl/err.h>

#include "crypto/openssl_words.h"

namespace acmetool::crypto
{

tl::unexpected<Error> openssl_failure(Errc code, std::string_view message, std::string hint)
{
    std::string text{message};
    const unsigned long first = ERR_get_error();
    if (const auto words = first == 0 ? std::string{} : words_for(first); !words.empty())
        text += (text.empty() ? "" : ": ") + words;
    ERR_clear_error();
    return fail(code, std::move(text), std::move(hint));
}

std::string dotted(const ASN1_OBJECT* object)
{
    char text[256] = {};
    const int size = OBJ_obj2txt(text, sizeof text, object, 1);
    return size > 0 && size < static_cast<int>(sizeof text) ? std::string{text} : std::string{};
}

std::string utf8_of(const ASN1_STRING* string)
{
    unsigned char* out = nullptr;
    const int size = ASN1_STRING_to_UTF8(&out, string);
    const OpensslMemory owned{out};
    ERR_clear_error();
    return size > 0 ? std::string{reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)}
                    : std::string{};
}

std::string name_text(const X509_NAME* name)
{
    const BioPtr bio{BIO_new(BIO_s_mem())};
    if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return {};
    return contents(bio.get());
}

base::TimePoint time_of(const ASN1_TIME* time)
{
    std::tm fields{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return {};
    return base::TimePoint{std::chrono::seconds{timegm(&fields)}};
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
