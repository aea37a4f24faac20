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
    std::size_t from = 0;           ///< index of the party
    std::size_t to = 0;             ///< likewise
    std::vector<std::string> words; ///< above the arrow: label, detail, number of the attempt
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

/// The messages of this request, and of the other requests in which the device showed the same certificate.
ACMETOOL_EXPORT base::Trace requests_of_device(base::Trace trace, const std::string& request_id);

/// The trace's parties, in the order of the draft's ladders, and its messages as arrows, with those that
/// nobody saw (cli/inference.h).
ACMETOOL_EXPORT Chart chart_of(const base::Trace& trace);

/// "12 messages in 3 s, 1 failure", for people.
ACMETOOL_EXPORT std::string summary_of(const Chart& chart);

/// The arrows as the `ladder` document has them.
ACMETOOL_EXPORT base::Json to_json(const Chart& chart);

/// The ladder as text, as the draft draws it: times on the left, "!" beside failures.
ACMETOOL_EXPORT std::string draw_text(const Chart& chart);

/// The ladder as one self-contained SVG 1.1 image.
ACMETOOL_EXPORT std::string draw_svg(const Chart& chart);
/// The same in light or dark colours, as the reader prefers.
std::string draw_page_svg(const Chart& chart);
/// Its style sheet, which a Content-Security-Policy can name by its digest.
std::string_view page_svg_style();

/// For each gap between neighbours: the number of characters that the texts of the arrows starting there
/// need, between `least` and `most`.
std::vector<std::size_t> gap_widths(const Chart& chart, std::size_t least, std::size_t most);

} // namespace acmetool::cli
