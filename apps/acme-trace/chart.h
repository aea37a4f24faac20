#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "base/trace.h"

/// A trace as a ladder, to be drawn as text or as SVG.
namespace acmetool::cli
{

/// One arrow of the ladder.
struct Arrow {
    std::size_t from = 0; ///< index of the party
    std::size_t to = 0;   ///< likewise
    std::string label;    ///< with the time that a reply took
    std::string detail;   ///< may be empty
    bool failed = false;
    unsigned attempt = 1; ///< 2 or more: the request was refused before
    base::TimePoint time;
    std::chrono::seconds after{0}; ///< since the previous arrow; negative if the clock was set back
    base::Message message;         ///< as read from the trace
};

struct Chart {
    std::vector<std::string> parties; ///< titles, from left to right
    std::vector<Arrow> arrows;
    std::size_t failures = 0;
};

/// The trace's parties, in the order of the draft's ladders, and its messages as arrows.
Chart chart_of(const base::Trace& trace);

/// "12 messages in 3 s, 1 failure", for people.
std::string summary_of(const Chart& chart);

/// The arrows as the `ladder` document has them.
base::Json to_json(const Chart& chart);

/// The ladder as text, as the draft draws it: times on the left, "!" beside failures.
std::string draw_text(const Chart& chart);

/// The ladder as one self-contained SVG 1.1 image.
std::string draw_svg(const Chart& chart);

/// The single characters of UTF-8 text.
std::vector<std::string_view> characters(std::string_view text);

/// `text` in lines of at most `width` characters, broken at spaces if possible.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// The text above an arrow before wrapping: label, detail, number of the attempt.
std::vector<std::string> words_of(const Arrow& arrow);

/// For each gap between neighbours: the number of characters that the texts of the arrows starting there
/// need, between `least` and `most`.
std::vector<std::size_t> gap_widths(const Chart& chart, std::size_t least, std::size_t most);

} // namespace acmetool::cli
