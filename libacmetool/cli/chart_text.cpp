#include "cli/chart.h"
#include "cli/ladder_page.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kGutter = 10; // the time or the time passed, and a mark
constexpr std::size_t kLeastGap = 20;
constexpr std::size_t kMostGap = 44;

class Drawing
{
public:
    explicit Drawing(const Chart& chart)
        : chart_(chart), page_(chart.parties, kGutter, gap_widths(chart, kLeastGap, kMostGap))
    {
    }

    std::string draw()
    {
        auto out = page_.head();
        for (const auto& arrow : chart_.arrows) {
            out += passed_time(arrow); // before the gutter, which begins anew with a day
            out += page_.arrow({arrow.from, arrow.to, arrow.words, arrow.failed, arrow.message.inferred},
                               gutter_of(arrow));
        }
        return out + summary_of(chart_) + "\n";
    }

private:
    std::string passed_time(const Arrow& arrow)
    {
        std::string out;
        const auto day = base::to_rfc3339(arrow.time).substr(0, 10);
        if (arrow.after.count() < 0)
            out += page_.line("clock set back", ':');
        else if (arrow.after.count() > 1)
            out += page_.line("+" + base::describe(arrow.after), ':');
        if (day == day_) return out;
        day_ = day;
        clock_.clear();
        return out + page_.line(day);
    }

    std::string gutter_of(const Arrow& arrow)
    {
        const auto clock = base::to_rfc3339(arrow.time).substr(11, 8);
        auto gutter = clock == clock_ ? std::string(clock.size(), ' ') : clock;
        clock_ = clock;
        if (arrow.failed) gutter += " !";
        return gutter;
    }

    const Chart& chart_;
    LadderPage page_;
    std::string day_;
    std::string clock_;
};

} // namespace

std::string draw_text(const Chart& chart)
{
    return Drawing{chart}.draw();
}

} // namespace acmetool::cli
