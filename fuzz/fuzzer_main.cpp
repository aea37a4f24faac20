// NAME_fuzz: a link to one program that has all targets, each of which needs the whole library.
// libFuzzer has main().
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "targets.h"

namespace
{

FuzzTarget chosen = nullptr;

} // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** arguments)
{
    constexpr std::string_view kEnd = "_fuzz";
    auto name = std::filesystem::path{(*arguments)[0]}.filename().string();
    if (name.ends_with(kEnd)) name.resize(name.size() - kEnd.size());
    chosen = find_target(name);
    if (chosen == nullptr) {
        std::fprintf(stderr, "%s is no fuzz target\n", name.c_str());
        std::exit(64);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    return chosen(data, size);
}
