#include "base/program_output.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::base
{
namespace
{

constexpr std::size_t kLongestLine = 1000;
constexpr std::size_t kLongestRaw = 8 * kLongestLine; ///< with what is removed
constexpr std::size_t kMostOfProgram = 64U << 10U;
constexpr std::size_t kMostLines = 1000;

/// Without escape sequences (ECMA-48 sections 5.3 and 5.4) and control characters; a tab becomes a space.
std::string without_controls(std::string_view line)
{
    std::string plain;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const auto c = static_cast<unsigned char>(line[i]);
        if (c == 0x1b && i + 1 < line.size() && line[i + 1] == '[') {
            for (i += 2; i < line.size() && (line[i] < 0x40 || line[i] > 0x7e);)
                ++i;
        } else if (c == '\t') {
            plain += ' ';
        } else if (c >= 0x20 && c != 0x7f) {
            plain += line[i];
        }
    }
    return plain;
}

} // namespace

void ProgramOutput::take(std::string_view text)
{
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto part = text.substr(0, end);
        const auto kept = std::min(part.size(), kLongestRaw - line_.size());
        line_ += part.substr(0, kept);
        dropped_ += part.size() - kept;
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
        end_line();
    }
}

void ProgramOutput::end_line()
{
    std::string_view line = line_;
    while (line.ends_with('\r'))
        line.remove_suffix(1);
    if (const auto drawn = line.rfind('\r'); drawn != std::string_view::npos) line.remove_prefix(drawn + 1);
    const auto plain = printable(without_controls(line), kLongestLine);
    line_.clear();
    if (trim(plain).empty()) return;
    if (told_ + plain.size() > kMostOfProgram || lines_ >= kMostLines) {
        dropped_ += plain.size();
        return;
    }
    told_ += plain.size();
    ++lines_;
    last_line_ = plain;
    context_.log(Level::info, fmt::format("{}: {}", name_, plain));
}

void ProgramOutput::finish()
{
    end_line();
    if (dropped_ > 0)
        context_.log(Level::info, fmt::format("{}: {} more octets of output were dropped", name_, dropped_));
    dropped_ = 0;
}

} // namespace acmetool::base
