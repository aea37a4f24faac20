#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// HTTP bodies of EST: DER in base64, whatever Content-Transfer-Encoding says (RFC 8951 section 3).
namespace acmetool::est
{

/// How a body was written.
enum class BodyForm {
    lines,    ///< base64 in several lines
    one_line, ///< base64 in one unbroken line, with or without a final newline
    pem,      ///< base64 between "-----BEGIN ...-----" and "-----END ...-----", whatever the label
    der,      ///< the octets themselves
};

struct Body {
    Bytes der;
    BodyForm form = BodyForm::lines;
};

struct BodyRules {
    bool strict = false;             ///< base64 alone, as RFC 8951 has it; spaces and line breaks anywhere
    std::size_t limit = 1024 * 1024; ///< of the body as it came, in octets
};

/// Takes a body apart. Content-Transfer-Encoding need not be looked at: the first octets tell the form.
///
/// NULs after text do not count. An empty body (blanks alone) gives empty `der`, which is "none" in
/// /csrattrs. That the octets are DER of the right kind is the next parser's matter, but for the first one,
/// which has to open a SEQUENCE. Errc::bad_input; reasons: bodyTooLarge, notBase64, notStrictBase64 (PEM or
/// DER under `strict`), notDer.
ACMETOOL_EXPORT Result<Body> parse_body(std::string_view body, BodyRules rules = {});

/// Base64 with padding, broken with LF after `wrap` characters (0: not at all), with a final newline.
ACMETOOL_EXPORT std::string to_body(ByteView der, std::size_t wrap = 64);

/// The `wrap` that answers a body of this form in kind: 0 for one_line, else 64.
ACMETOOL_EXPORT std::size_t wrap_for(BodyForm form);

} // namespace acmetool::est
