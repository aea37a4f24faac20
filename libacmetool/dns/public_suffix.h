#pragma once

#include <optional>
#include <string>

#include "base/result.h"

/// Where registrations end: the Public Suffix List of the system, else the one that libpsl was built with.
namespace acmetool::dns
{

/// What a name is to those who register names.
enum class NameKind {
    public_suffix, ///< "com", "co.uk": others register below it
    registrable,   ///< "example.com", "example.co.uk": what one buys, with all names below it
    below,         ///< "iot.example.com"
};

/// The kind of a normalised name (A-labels). Nothing where there is no list.
std::optional<NameKind> kind_of(const std::string& name);

} // namespace acmetool::dns
