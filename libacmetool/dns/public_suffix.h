#pragma once

#include <optional>
#include <string>

#include "base/result.h"

/// The Public Suffix List of the system, else the one built into libpsl.
namespace acmetool::dns
{

/// The kind of a name with respect to registration.
enum class NameKind {
    public_suffix, ///< "com", "co.uk": anyone can register names below it
    registrable,   ///< "example.com", "example.co.uk": a registered domain with all names below it
    below,         ///< "iot.example.com"
};

/// The kind of a normalised name (A-labels). Nothing if there is no list.
std::optional<NameKind> kind_of(const std::string& name);

} // namespace acmetool::dns
