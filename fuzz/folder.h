#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

namespace fuzz
{

/// A new folder, in memory if the system has such. The target removes it.
inline std::string make_folder()
{
    std::string folder = "/dev/shm/acmetool-fuzz.XXXXXX";
    if (mkdtemp(folder.data()) != nullptr) return folder;
    folder = (std::filesystem::temp_directory_path() / "acmetool-fuzz.XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) __builtin_trap();
    return folder;
}

} // namespace fuzz
