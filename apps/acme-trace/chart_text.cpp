#include <algorithm>

#include <fmt/core.h>

#include "acme-trace/chart.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kGutter = 16; // the time or the time passed, and a mark
constexpr std::size_t kLeastGap = 20;
constexpr std::size_t kMostGap = 44;
constexpr std::size_t kHalfBox = 2; // a title's frame beyond half of the title

/// A line of characters, each of which may be several octets.
class Line
{
public:
    void put(std::size_t at, std::string_view text)
    {
        for (const auto character : characters(text)) {
            if (cells_.size() <= at) cells_.resize(at + 1, " ");
            cells_[at++] = character;
        }
    }

    std::string text() const
    {
        auto end = cells_.size();
        while (end > 0 && cells_[end - 1] == " ")
            --end;
        std::string out;
        for (std::size_t i = 0; i < end; ++i)
            out += cells_[i];
        return out + "\n";
    }

private:
    std::vector<std::string_view> cells_;
};

class Drawing
{
public:
    explicit Drawing(const Chart& chart) : chart_(chart)
    {
        const auto gaps = gap_widths(chart, kLeastGap, kMostGap);
        std::size_t at = kGutter + half(0);
        for (std::size_t i = 0; i < chart.parties.size(); ++i) {
            columns_.push_back(at);
            if (i < gaps.size()) at += std::max(gaps[i] + 4, half(i) + half(i + 1) + 3);
        }
    }

    std::string draw()
    {
        head();
        for (const auto& arrow : chart_.arrows) {
            pass_time(arrow);
            above(arrow);
            if (arrow.from != arrow.to) shaft(arrow);
            add("", '|');
        }
        return out_ + summary_of(chart_) + "\n";
    }

private:
    std::size_t half(std::size_t party) const
    {
        return characters(chart_.parties[party]).size() / 2 + kHalfBox;
    }

    void add(std::string_view gutter, char vertical, std::string_view text = "", std::size_t at = 0)
    {
        Line line;
        line.put(0, gutter);
        for (const auto column : columns_)
            line.put(column, std::string_view{vertical == '|' ? "|" : ":"});
        line.put(at, text);
        out_ += line.text();
    }

    void head()
    {
        // The texts outlive the line, which only refers to them.
        std::vector<std::string> frames;
        std::vector<std::string> names;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const auto& title = chart_.parties[i];
            frames.push_back("+" + std::string(characters(title).size() + 2, '-') + "+");
            names.push_back("| " + title + " |");
        }
        for (const auto* texts : {&frames, &names, &frames}) {
            Line line;
            for (std::size_t i = 0; i < columns_.size(); ++i)
                line.put(columns_[i] - half(i), (*texts)[i]);
            out_ += line.text();
        }
        add("", '|');
    }

    void pass_time(const Arrow& arrow)
    {
        const auto day = base::to_rfc3339(arrow.time).substr(0, 10);
        if (arrow.after.count() < 0)
            add("clock set back", ':');
        else if (arrow.after.count() > 1)
            add("+" + base::describe(arrow.after), ':');
        if (day == day_) return;
        add(day, '|');
        day_ = day;
        clock_.clear();
    }

    void above(const Arrow& arrow)
    {
        const auto left = std::min(arrow.from, arrow.to);
        // Text before the right-most column has no neighbour that limits it.
        const auto room = left + 1 < columns_.size() ? columns_[left + 1] - columns_[left] - 3 : kMostGap;
        auto gutter = base::to_rfc3339(arrow.time).substr(11, 8);
        if (gutter == clock_)
            gutter = "        ";
        else
            clock_ = gutter;
        if (arrow.failed) gutter += " !";
        for (const auto& text : words_of(arrow))
            for (const auto& line : wrap(text, room)) {
                add(gutter, '|', line, columns_[left] + 2);
                gutter.clear();
            }
    }

    void shaft(const Arrow& arrow)
    {
        const auto left = columns_[std::min(arrow.from, arrow.to)];
        const auto right = columns_[std::max(arrow.from, arrow.to)];
        std::string line(right - left - 1, '-');
        if (arrow.failed) line[line.size() / 2] = 'x';
        (arrow.from < arrow.to ? line.back() : line.front()) = arrow.from < arrow.to ? '>' : '<';
        add("", '|', line, left + 1);
    }

    const Chart& chart_;
    std::vector<std::size_t> columns_;
    std::string out_;
    std::string day_;
    std::string clock_;
};

} // namespace

std::string draw_text(const Chart& chart)
{
    return Drawing{chart}.draw();
}

} // namespace acmetool::cli
