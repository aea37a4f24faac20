#pragma once

#include <string>

namespace acmetool::crypto
{

/// What an OpenSSL error code means to a user, "the peer does not know the CA of our certificate". Empty if
/// it only says that octets are malformed, which the caller's message says better. Other errors are named by
/// their number, which `openssl errstr` explains.
std::string words_for(unsigned long code);

} // namespace acmetool::crypto
