#include "crypto/request_parts.h"

#include <utility>

#include <openssl/x509.h>

#include "crypto/der.h"

namespace acmetool::crypto
{

Result<RequestParts> read_request_parts(ByteView csr)
{
    der::Reader all{csr};
    ACMETOOL_TRY(request, all.expect(der::kSequence, "the request"));
    ACMETOOL_CHECK(all.end("the request"));
    der::Reader outer{request.value};
    ACMETOOL_TRY(info, outer.expect(der::kSequence, "the request's information"));
    ACMETOOL_TRY(algorithm, outer.expect(der::kSequence, "the signature's algorithm"));
    ACMETOOL_TRY(signature, outer.expect(der::kBitString, "the signature"));
    ACMETOOL_CHECK(outer.end("the signature"));

    der::Reader reader{info.value};
    ACMETOOL_TRY(version, reader.expect(der::kInteger, "the version"));
    ACMETOOL_TRY(subject, reader.expect(der::kSequence, "the subject"));
    ACMETOOL_TRY(key, reader.expect(der::kSequence, "the public key"));
    RequestParts parts;
    parts.info = info.whole;
    parts.before_attributes =
        info.value.first(version.whole.size() + subject.whole.size() + key.whole.size());
    parts.subject = subject.whole;
    parts.key = key.whole;
    parts.algorithm = algorithm.whole;
    parts.signature = signature.whole;
    if (reader.at_end()) return parts;
    ACMETOOL_TRY(attributes, reader.expect(der::context(0), "the attributes"));
    for (der::Reader each{attributes.value}; !each.at_end();) {
        ACMETOOL_TRY(attribute, each.expect(der::kSequence, "an attribute"));
        parts.attributes.push_back(attribute.whole);
    }
    ACMETOOL_CHECK(reader.end("the attributes"));
    return parts;
}

NamePtr read_name(ByteView der)
{
    const auto* data = der.data();
    NamePtr name{d2i_X509_NAME(nullptr, &data, static_cast<long>(der.size()))};
    return data == der.data() + der.size() ? std::move(name) : nullptr;
}

} // namespace acmetool::crypto
