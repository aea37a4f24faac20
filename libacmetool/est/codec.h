#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// HTTP bodies of EST: DER in base64, independent of Content-Transfer-Encoding (RFC 8951 section 3).
namespace acmetool::est
{

/// The form of a body.
enum class BodyForm {
    lines,    ///< base64 in several lines
    one_line, ///< base64 in one unbroken line, with or without a final newline
    pem,      ///< base64 between "-----BEGIN ...-----" and "-----END ...-----", with any label
    der,      ///< the octets themselves
};

struct Body {
    Bytes der;
    BodyForm form = BodyForm::lines;
};

struct BodyRules {
    bool strict = false;             ///< only base64, as in RFC 8951; spaces and line breaks are allowed
    std::size_t limit = 1024 * 1024; ///< of the body as received, in octets
};

/// Decodes a body. The first octets determine the form, so Content-Transfer-Encoding is ignored.
///
/// NULs after text are ignored. An empty body (only white space) gives empty `der`, which means "none" in
/// /csrattrs. Only the first octet of the DER, which must begin a SEQUENCE, is checked; the next parser
/// checks the rest. Errc::bad_input; reasons: bodyTooLarge, notBase64, notStrictBase64 (PEM or DER under
/// `strict`), notDer.
ACMETOOL_EXPORT Result<Body> parse_body(std::string_view body, BodyRules rules = {});

/// Base64 with padding, broken with LF after `wrap` characters (0: never), with a final newline.
ACMETOOL_EXPORT std::string to_body(ByteView der, std::size_t wrap = 64);

/// The `wrap` that answers a body of this form in kind: 0 for one_line, else 64.
ACMETOOL_EXPORT std::size_t wrap_for(BodyForm form);

} // namespace acmetool::est
