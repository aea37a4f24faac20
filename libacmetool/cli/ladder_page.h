#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "acmetool/export.h"

/// Ladders as text: what --show flow and acme-trace draw.
namespace acmetool::cli
{

/// The columns that a ladder takes, unless its titles need more.
inline constexpr std::size_t kLadderWidth = 60;

/// The title of a party in a trace, "EST RA" for "est"; an unknown name is its own title.
ACMETOOL_EXPORT std::string title_of_party(std::string_view name);
/// Its place from left to right; unknown ones are to the right of all others.
ACMETOOL_EXPORT std::size_t place_of_party(std::string_view name);

/// The single characters of UTF-8 text.
ACMETOOL_EXPORT std::vector<std::string_view> characters(std::string_view text);

/// `text` in lines of at most `width` characters, broken at spaces if possible.
ACMETOOL_EXPORT std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// One arrow with what stands above it.
struct DrawnArrow {
    std::size_t from = 0; ///< index of the party
    std::size_t to = 0;   ///< likewise; the same: there is only text
    std::vector<std::string> words;
    bool failed = false;
    bool inferred = false; ///< dashed
};

/// A page with one column for each party.
class ACMETOOL_EXPORT LadderPage
{
public:
    /// `gutter`: columns on the left that are free for times. `gaps`: the characters between neighbours that
    /// the texts need; they get fewer if the page would become too wide.
    LadderPage(std::vector<std::string> titles, std::size_t gutter, const std::vector<std::size_t>& gaps);

    /// The titles in their frames, and an empty line.
    std::string head() const;
    /// A line with the verticals and `gutter` at its beginning.
    std::string line(std::string_view gutter = {}, char vertical = '|') const;
    /// The arrow below its texts, and an empty line. The first line has `gutter` at its beginning.
    std::string arrow(const DrawnArrow& arrow, std::string_view gutter = {}) const;

private:
    std::size_t half(std::size_t party) const;
    std::string line(std::string_view gutter, char vertical, std::string_view text, std::size_t at) const;
    std::string shaft(const DrawnArrow& arrow) const;

    std::vector<std::string> titles_;
    std::vector<std::size_t> columns_;
    std::size_t width_ = kLadderWidth;
};

} // namespace acmetool::cli
