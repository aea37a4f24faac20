#include "store/room.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/output.h"
#include "store/special_file.h"

namespace acmetool::store
{

Result<void> check_room_beside(const std::string& path)
{
    constexpr std::size_t kRoom = 256U << 10U;
    const auto folder = std::filesystem::path{path}.parent_path().string();
    std::string name = (folder.empty() ? "." : folder) + "/.acmetool-room.XXXXXX";
    const Descriptor file{mkostemp(name.data(), O_CLOEXEC)};
    if (file.get() < 0) return system_error(Errc::cannot_create, folder, "no file can be created there");
    unlink(name.c_str());
    if (errno = base::write_all(file.get(), std::string(kRoom, '\0')); errno != 0)
        return system_error(Errc::io, folder, "cannot be written");
    if (fsync(file.get()) != 0) return system_error(Errc::io, folder, "cannot be written");
    return {};
}

} // namespace acmetool::store
