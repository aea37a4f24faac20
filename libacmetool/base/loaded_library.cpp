#include "base/loaded_library.h"

#include <dlfcn.h>

#include <fmt/core.h>

namespace acmetool::base
{

LoadedLibrary::LoadedLibrary(const char* name) : name_(name), handle_(dlopen(name, RTLD_LAZY | RTLD_LOCAL))
{
    if (handle_ == nullptr) problem_ = dlerror();
}

void* LoadedLibrary::find(const char* name)
{
    if (handle_ == nullptr) return nullptr;
    void* const found = dlsym(handle_, name);
    if (found == nullptr && problem_.empty()) problem_ = fmt::format("it has no {}", name);
    return found;
}

Result<void> LoadedLibrary::result(const std::string& hint, const std::string& reason) const
{
    if (problem_.empty()) return {};
    return fail(Errc::config, fmt::format("{} cannot be loaded: {}", name_, problem_), hint, reason);
}

} // namespace acmetool::base
