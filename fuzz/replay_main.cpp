// fuzz-replay TARGET FOLDER...: runs a fuzz target once on each file of the folders; for compilers without
// libFuzzer.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "targets.h"

int main(int argc, char** argv)
{
    const FuzzTarget target = argc > 2 ? find_target(argv[1]) : nullptr;
    if (target == nullptr) {
        std::fputs("usage: fuzz-replay TARGET FOLDER...\n", stderr);
        return 64;
    }
    std::size_t files = 0;
    for (int i = 2; i < argc; ++i)
        for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
            std::ifstream file{entry.path(), std::ios::binary};
            const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
            target(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
            ++files;
        }
    std::printf("%zu files\n", files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
