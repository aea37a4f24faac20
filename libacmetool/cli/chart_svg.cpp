#include <algorithm>

#include <fmt/core.h>

#include "base/markup.h"
#include "cli/chart.h"
#include "cli/ladder_page.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kCharacter = 8; // width, in pixels, of a character of the font below
constexpr std::size_t kRow = 18;
constexpr std::size_t kSvgGutter = 140;
constexpr std::size_t kSvgLeastGap = 14; // in characters
constexpr std::size_t kSvgMostGap = 44;
constexpr std::size_t kSvgMargin = 20;
constexpr std::size_t kBox = 30;

constexpr std::string_view kSvgStyle =
    "text{font:13px monospace;fill:#222}.box{fill:#f4f4f4;stroke:#444}.line{stroke:#999}"
    ".arrow{stroke:#235;stroke-width:1.5}.head{fill:#235}.time{fill:#777}.later{stroke:#999;stroke-dasharray:"
    "2 4}"
    ".inferred .arrow{stroke-dasharray:4 4}"
    ".failed .arrow{stroke:#b00}.failed .head{fill:#b00}.failed text{fill:#b00}";
constexpr std::string_view kDarkStyle =
    "@media(prefers-color-scheme:dark){text{fill:#ddd}rect[width='100%']{fill:#16181d}.box{fill:#23262d;"
    "stroke:#999}"
    ".line,.later{stroke:#777}.arrow{stroke:#9bf}.head{fill:#9bf}.time{fill:#aaa}"
    ".failed .arrow{stroke:#f88}.failed .head{fill:#f88}.failed text{fill:#f88}}";

class SvgDrawing
{
public:
    SvgDrawing(const Chart& chart, std::string_view style) : chart_(chart), style_(style)
    {
        const auto gaps = gap_widths(chart, kSvgLeastGap, kSvgMostGap);
        std::size_t at = kSvgGutter + half(0);
        for (std::size_t i = 0; i < chart.parties.size(); ++i) {
            columns_.push_back(at);
            if (i < gaps.size())
                at += std::max((gaps[i] + 3) * kCharacter, half(i) + half(i + 1) + kSvgMargin);
        }
    }

    std::string draw()
    {
        row_ = kSvgMargin + kBox + kRow;
        std::string arrows;
        for (const auto& arrow : chart_.arrows)
            arrows += one(arrow);
        const auto bottom = row_ + kSvgMargin;
        const auto width = columns_.back() + std::max(half(columns_.size() - 1), overhang_) + kSvgMargin;
        return fmt::format(
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" role=\"img\" width=\"{0}\" "
                   "height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n<title>{2}</title>\n<style>{3}</style>\n"
                   "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                   width, bottom + kRow, base::escape_markup(summary_of(chart_)), style_) +
               parties(bottom) + arrows + text(kSvgMargin, bottom + kRow / 2, "time", summary_of(chart_)) +
               "</svg>\n";
    }

private:
    std::size_t half(std::size_t party) const
    {
        return (characters(chart_.parties[party]).size() + 2) * kCharacter / 2;
    }

    static std::string text(std::size_t x, std::size_t y, std::string_view kind, std::string_view content)
    {
        return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" xml:space=\"preserve\">{}</text>\n", kind, x,
                           y, base::escape_markup(content));
    }

    std::string parties(std::size_t bottom) const
    {
        std::string out;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const auto x = columns_[i];
            out += fmt::format("<line class=\"line\" x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\"/>\n"
                               "<rect class=\"box\" x=\"{3}\" y=\"{4}\" width=\"{5}\" height=\"{6}\"/>\n",
                               x, kSvgMargin + kBox, bottom - kRow / 2, x - half(i), kSvgMargin, 2 * half(i),
                               kBox);
            out += text(x - half(i) + kCharacter, kSvgMargin + kBox / 2 + 5, "title", chart_.parties[i]);
        }
        return out;
    }

    /// One arrow with the text above it; advances `row_`.
    std::string one(const Arrow& arrow)
    {
        std::string out = pass_time(arrow);
        out += fmt::format("<g{}>\n<title>{}</title>\n",
                           arrow.failed             ? " class=\"failed\""
                           : arrow.message.inferred ? " class=\"inferred\""
                                                    : "",
                           base::escape_markup(fmt::format("{} {}", base::to_rfc3339(arrow.time),
                                                           arrow.message.url.empty() ? arrow.message.label
                                                                                     : arrow.message.url)));
        const auto left = std::min(arrow.from, arrow.to);
        const bool last = left + 1 == columns_.size();
        const auto room = last ? kSvgMostGap : (columns_[left + 1] - columns_[left]) / kCharacter - 2;
        const auto time = base::to_rfc3339(arrow.time).substr(11, 8);
        if (time != clock_) out += text(kSvgMargin, row_, "time", time);
        clock_ = time;
        for (const auto& words : arrow.words)
            for (const auto& line : wrap(words, room)) {
                out += text(columns_[left] + kCharacter, row_, "label", line);
                if (last) overhang_ = std::max(overhang_, (characters(line).size() + 1) * kCharacter);
                row_ += kRow;
            }
        if (arrow.from != arrow.to) {
            const auto tip = columns_[arrow.to];
            const auto back = arrow.to > arrow.from ? tip - kCharacter : tip + kCharacter;
            const auto y = row_ - kRow / 2;
            out += fmt::format("<line class=\"arrow\" x1=\"{0}\" y1=\"{2}\" x2=\"{1}\" y2=\"{2}\"/>\n"
                               "<path class=\"head\" d=\"M{1} {2}L{3} {4}L{3} {5}Z\"/>\n",
                               columns_[arrow.from], tip, y, back, y - 4, y + 4);
        }
        row_ += kRow;
        return out + "</g>\n";
    }

    std::string pass_time(const Arrow& arrow)
    {
        std::string out;
        const auto day = base::to_rfc3339(arrow.time).substr(0, 10);
        if (arrow.after.count() < 0 || arrow.after.count() > 1) {
            const auto passed =
                arrow.after.count() < 0 ? "clock set back" : "+" + base::describe(arrow.after);
            out += text(kSvgMargin, row_, "time", passed) +
                   fmt::format("<line class=\"later\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n",
                               kSvgGutter, row_ - 4, columns_.back(), row_ - 4);
            row_ += kRow;
        }
        if (day != day_) {
            out += text(kSvgMargin, row_, "time", day);
            row_ += kRow;
            day_ = day;
            clock_.clear();
        }
        return out;
    }

    const Chart& chart_;
    std::string_view style_;
    std::vector<std::size_t> columns_;
    std::size_t row_ = 0;
    std::size_t overhang_ = 0; ///< of texts to the right of the last party
    std::string day_;
    std::string clock_;
};

} // namespace

std::string draw_svg(const Chart& chart)
{
    return SvgDrawing{chart, kSvgStyle}.draw();
}

std::string draw_page_svg(const Chart& chart)
{
    return SvgDrawing{chart, page_svg_style()}.draw();
}

std::string_view page_svg_style()
{
    static const std::string style{std::string{kSvgStyle} + std::string{kDarkStyle}};
    return style;
}

} // namespace acmetool::cli
