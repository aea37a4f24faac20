#include "acme/passphrase.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>

#include <fmt/core.h>

#include "base/wipe.h"
#include "store/atomic_file.h"
#include "store/configured.h"
#include "store/secret_file.h"

namespace acmetool::acme
{
namespace
{

/// The terminal with its echo off, until destroyed.
class SilentTerminal
{
public:
    SilentTerminal() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY))
    {
        if (fd_ < 0 || tcgetattr(fd_, &before_) != 0) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
    }
    ~SilentTerminal()
    {
        if (changed_) {
            tcsetattr(fd_, TCSAFLUSH, &before_);
            say("\n");
        }
        if (fd_ >= 0) close(fd_);
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;

    bool usable() const { return changed_; }
    int fd() const { return fd_; }
    void say(std::string_view text) const
    {
        // The prompt can be answered even if it could not be shown.
        if (write(fd_, text.data(), text.size()) < 0) return;
    }

private:
    int fd_;
    termios before_{};
    bool changed_ = false;
};

Result<base::Secret> ask(const std::string& key_file, base::Context& context)
{
    const SilentTerminal terminal;
    if (!terminal.usable()) return base::Secret{};
    terminal.say(fmt::format("passphrase of {}: ", key_file));
    constexpr std::size_t kLongest = 1024;
    std::string line;
    line.reserve(kLongest); // so that no copy is left behind
    for (;;) {
        if (context.interrupted()) {
            base::wipe(line);
            return fail(base::interrupted_error("the passphrase"));
        }
        pollfd entry{terminal.fd(), POLLIN, 0};
        char c = 0;
        if (poll(&entry, 1, 100) <= 0) continue;
        if (read(terminal.fd(), &c, 1) != 1 || c == '\n' || line.size() == kLongest) break;
        line += c;
    }
    base::Secret secret{line};
    base::wipe(line);
    return secret;
}

} // namespace

Result<base::Secret> read_passphrase(const std::string& file)
{
    if (file.empty()) return base::Secret{};
    ACMETOOL_TRY(whole, store::read_configured_secret(file, "passphrase"));
    base::Secret line{std::string{whole.reveal().substr(0, whole.reveal().find_first_of("\r\n"))}};
    if (line.empty())
        return fail(Errc::config, fmt::format("passphrase {}: its first line is empty", file), {},
                    "noPassphrase");
    return line;
}

Result<base::Secret> passphrase_for(const std::string& key_file, const PassphraseSource& source,
                                    base::Context& context)
{
    if (!source.file.empty()) {
        store::warn_if_exposed(source.file, "passphrase", context);
        return read_passphrase(source.file);
    }
    std::error_code none;
    if (!source.ask || !std::filesystem::exists(key_file, none)) return base::Secret{};
    auto text = store::read_file(key_file);
    if (!text) return base::Secret{}; // loading the key reports why it cannot be read
    const base::Secret key{std::move(*text)};
    if (key.reveal().find("ENCRYPTED") == std::string_view::npos) return base::Secret{};
    return ask(key_file, context);
}

} // namespace acmetool::acme
