/// The fuzz targets that are linked into a program, by name.
#pragma once

#include <cstddef>
#include <string_view>

// targets.inc is made by CMake: FUZZ_TARGET(name) for each target.
#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const unsigned char* data, std::size_t size);
#include "targets.inc"
#undef FUZZ_TARGET

using FuzzTarget = int (*)(const unsigned char*, std::size_t);

/// Returns nullptr if there is none of that name.
inline FuzzTarget find_target(std::string_view wanted)
{
#define FUZZ_TARGET(name)                                                                                    \
    if (wanted == #name) return fuzz_##name;
#include "targets.inc"
#undef FUZZ_TARGET
    return nullptr;
}
