#include "ra/exclusion.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include <fmt/core.h>

#include "base/text.h"
#include "ra/records.h"
#include "store/file_id.h"

namespace acmetool::ra
{

namespace
{

std::string lock_file_of(const std::string& store_file)
{
    return store_file + ".lock";
}

} // namespace

Result<store::FileLock> lock_store(const std::string& store_file, base::Context& context)
{
    auto lock = store::FileLock::acquire(lock_file_of(store_file), context, base::Level::warning);
    const char* folder = std::getenv("STATE_DIRECTORY");
    if (!lock && lock.error().code == Errc::io && folder != nullptr)
        lock.error().hint = fmt::format(
            "the service can write to {}: set sqlite in [store] to a file in that folder", folder);
    return lock;
}

Result<void> check_shared(const std::string& store_file)
{
    // One that starts has not said yet what it opens: it reads what is here then.
    const auto running = store::FileLock::holder(lock_file_of(store_file));
    const auto here = store::file_id(store_file);
    if (!running || running->note.empty() || (here && here->text() == running->note)) return {};
    return fail(
        Errc::unavailable,
        fmt::format("{}: the running relay (process {}) has another file open and would not see the change",
                    store_file, running->process),
        "restore the file or restart the relay, then run the command again", "otherStore");
}

Result<std::unique_ptr<store::Database>> open_existing(const store::Options& store)
{
    if (store.is_shared()) return Records::open(store);
    ACMETOOL_CHECK(check_shared(store.sqlite));
    if (::access(store.sqlite.c_str(), F_OK) != 0)
        return fail(Errc::config, fmt::format("{}: the store does not exist", store.sqlite),
                    "est-relay serve creates it; check that the relay runs with this configuration",
                    "noStore");
    return Records::open(store);
}

namespace
{

/// Writes in one transaction.
Result<void> write_for_all(const store::Options& store, const std::function<Result<void>(Records&)>& write)
{
    ACMETOOL_TRY(database, open_existing(store));
    ACMETOOL_CHECK(database->begin());
    Records records{*database};
    ACMETOOL_CHECK(write(records));
    return database->commit();
}

} // namespace

Result<std::string> parse_serial(const std::string& text)
{
    auto serial = base::to_lower(text);
    if (serial.starts_with("0x")) serial.erase(0, 2);
    std::erase(serial, ':');
    // Octets, as many as the number needs.
    serial.erase(0, serial.find_first_not_of('0'));
    if (serial.size() % 2 != 0) serial.insert(serial.begin(), '0');
    if (serial.empty() || serial.find_first_not_of("0123456789abcdef") != std::string::npos)
        return fail(Errc::bad_input, fmt::format("{} is not a serial number", base::printable(text, 60)),
                    "give it in hexadecimal, as in certificates and events", "badSerial");
    return serial;
}

Result<std::vector<RevokedCertificate>>
revoke_in(const store::Options& store, const std::vector<std::string>& serials, base::TimePoint now)
{
    std::vector<RevokedCertificate> revoked;
    for (const auto& text : serials) {
        ACMETOOL_TRY(serial, parse_serial(text));
        revoked.push_back({serial, {}});
    }
    const auto written = write_for_all(store, [&](Records& records) -> Result<void> {
        for (auto& one : revoked) {
            ACMETOOL_TRY(device, records.device_of(one.serial));
            one.device = device.value_or("");
            ACMETOOL_CHECK(records.revoke(one.serial, now));
        }
        return {};
    });
    if (!written) return fail(written.error());
    return revoked;
}

Result<std::vector<std::string>> block_in(const store::Options& store,
                                          const std::vector<std::string>& devices, Blocking what,
                                          base::TimePoint now)
{
    for (const auto& device : devices)
        if (device.empty())
            return fail(Errc::bad_input, "a device is given by its serial number",
                        "give it as in events and the inventory", "badDevice");
    std::vector<std::string> done;
    const auto written = write_for_all(store, [&](Records& records) -> Result<void> {
        for (const auto& device : devices) {
            bool is_done = true;
            if (what == Blocking::block) {
                ACMETOOL_CHECK(records.block(device, now));
            } else {
                ACMETOOL_TRY(was_blocked, records.unblock(device));
                is_done = was_blocked;
            }
            if (is_done) done.push_back(device);
        }
        return {};
    });
    if (!written) return fail(written.error());
    return done;
}

} // namespace acmetool::ra
