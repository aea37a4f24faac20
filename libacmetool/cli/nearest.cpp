#include "cli/nearest.h"

#include <algorithm>

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kFarthest = 3;

/// The number of single-character edits between two words.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

} // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& known)
{
    std::string best;
    auto least = kFarthest + 1;
    for (const auto& word : known)
        if (const auto far = distance(given, word); far < least) {
            least = far;
            best = word;
        }
    return best;
}

} // namespace acmetool::cli
