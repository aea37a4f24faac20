#include "cli/nearest.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::cli
{
namespace
{

/// The number of single-character edits between two words; the exchange of two neighbours is one.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last;
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last = std::move(last);
        last = row;
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.size()];
}

} // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& known)
{
    constexpr std::size_t kLongest = 60; // no option, verb or key is longer
    constexpr std::size_t kShare = 3;    // one edit for so many characters
    if (given.empty() || given.size() > kLongest) return {};
    const auto wanted = base::to_lower(given);
    std::string best;
    auto least = std::max<std::size_t>(wanted.size() / kShare, 1) + 1;
    for (const auto& word : known)
        if (const auto far = distance(wanted, base::to_lower(word)); far < least && far < word.size()) {
            least = far;
            best = word;
        }
    if (!best.empty()) return best;
    // The beginning of one word.
    const auto begins = [&](const std::string& word) { return word.starts_with(wanted); };
    return wanted.size() > 1 && std::count_if(known.begin(), known.end(), begins) == 1
               ? *std::find_if(known.begin(), known.end(), begins)
               : std::string{};
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& known, std::string otherwise)
{
    const auto meant = nearest(given, known);
    return meant.empty() ? std::move(otherwise) : fmt::format("did you mean \"{}\"?", meant);
}

} // namespace acmetool::cli
