#pragma once

#include <string>

#include "base/result.h"

namespace acmetool::base
{

/// A library that is loaded at its first use and never unloaded: resolving its symbols takes longer than most
/// of what a program does, and programs that do not use it do not load it. The linker does not see it, so
/// packages must list it (debian/control).
class LoadedLibrary
{
public:
    /// `name` with the number of the interface: "libcurl.so.4".
    explicit LoadedLibrary(const char* name);
    /// Sets `function` to the library's function `name`, whose type is that of the library's header.
    template <class Function>
    LoadedLibrary& take(Function*& function, const char* name)
    {
        function = reinterpret_cast<Function*>(find(name));
        return *this;
    }
    /// Whether the library and each function taken was there. Errors: config, with `hint` and `reason`.
    Result<void> result(const std::string& hint, const std::string& reason) const;

private:
    void* find(const char* name);

    const char* name_;
    void* handle_;
    std::string problem_;
};

} // namespace acmetool::base
