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
    unsigned attempt = 1; ///< 2 and more: the same was asked before, and refused
    base::TimePoint time;
    std::chrono::seconds after{0}; ///< since the arrow before; negative where the clock was set back
    base::Message message;         ///< as it was read
};

struct Chart {
    std::vector<std::string> parties; ///< titles, from left to right
    std::vector<Arrow> arrows;
    std::size_t failures = 0;
};

/// The trace's parties in the order in which the draft's ladders have them, and its messages as arrows.
Chart chart_of(const base::Trace& trace);

/// "12 messages in 3 s, 1 failure", for people.
std::string summary_of(const Chart& chart);

/// The arrows as the `ladder` document has them.
base::Json to_json(const Chart& chart);

/// The ladder in characters, as the draft draws it: times to the left, "!" beside what failed.
std::string draw_text(const Chart& chart);

/// The ladder as one SVG 1.1 image that needs nothing beside it.
std::string draw_svg(const Chart& chart);

/// The characters of UTF-8 text, each by itself.
std::vector<std::string_view> characters(std::string_view text);

/// `text` in lines of at most `width` characters, broken at spaces where there are any.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// What stands above an arrow, before it is wrapped: label, detail, which attempt it is.
std::vector<std::string> words_of(const Arrow& arrow);

/// For each gap between two neighbours: how many characters the texts of the arrows that begin there need,
/// between `least` and `most`.
std::vector<std::size_t> gap_widths(const Chart& chart, std::size_t least, std::size_t most);

} // namespace acmetool::cli
