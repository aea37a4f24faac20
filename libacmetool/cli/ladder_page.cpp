#include "cli/ladder_page.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace acmetool::cli
{
namespace
{

struct Party {
    std::string_view name;
    std::string_view title;
};
/// From left to right.
constexpr std::array<Party, 9> kParties{{{"client", "Client"},
                                         {"est", "EST RA"},
                                         {"teap", "TEAP server"},
                                         {"ra", "RA"},
                                         {"acme", "ACME"},
                                         {"masa", "MASA"},
                                         {"dns", "DNS"},
                                         {"web", "Web"},
                                         {"hook", "Hook"}}};

constexpr std::size_t kHalfFrame = 2;    // a title's frame beyond half of the title
constexpr std::size_t kMargin = 4;       // between a text and the verticals, with both of these
constexpr std::size_t kReadableGap = 24; // a text that is longer than this is broken before it leaves its gap
constexpr std::size_t kLeastRoom = 18;

const Party* find_party(std::string_view name)
{
    return std::find_if(kParties.begin(), kParties.end(),
                        [name](const Party& party) { return party.name == name; });
}

/// A line of characters, each of which may be several octets. Refers to the texts.
class Cells
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

/// Widens the narrowest gaps first, until `spare` is spent or each is as wide as wanted.
void widen(std::vector<std::size_t>& gaps, const std::vector<std::size_t>& wanted, std::size_t spare)
{
    for (; spare > 0; --spare) {
        std::size_t* narrowest = nullptr;
        for (std::size_t i = 0; i < gaps.size(); ++i)
            if (gaps[i] < wanted[i] && (narrowest == nullptr || gaps[i] < *narrowest)) narrowest = &gaps[i];
        if (narrowest == nullptr) return;
        ++*narrowest;
    }
}

} // namespace

std::string title_of_party(std::string_view name)
{
    const auto* const party = find_party(name);
    return std::string{party == kParties.end() ? name : party->title};
}

std::size_t place_of_party(std::string_view name)
{
    return static_cast<std::size_t>(find_party(name) - kParties.begin());
}

std::vector<std::string_view> characters(std::string_view text)
{
    std::vector<std::string_view> found;
    while (!text.empty()) {
        std::size_t size = 1;
        while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
            ++size;
        found.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return found;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width)
{
    const auto all = characters(text);
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < all.size();) {
        std::size_t end = std::min(begin + width, all.size());
        if (end < all.size())
            for (std::size_t i = end; i > begin + width / 2; --i)
                if (all[i] == " ") {
                    end = i;
                    break;
                }
        std::string line;
        for (std::size_t i = begin; i < end; ++i)
            line += all[i];
        lines.push_back(std::move(line));
        begin = end < all.size() && all[end] == " " ? end + 1 : end;
    }
    return lines;
}

LadderPage::LadderPage(std::vector<std::string> titles, std::size_t gutter,
                       const std::vector<std::size_t>& gaps)
    : titles_(std::move(titles))
{
    std::vector<std::size_t> wanted;
    std::vector<std::size_t> actual;
    for (std::size_t i = 0; i + 1 < titles_.size(); ++i) {
        const auto least = half(i) + half(i + 1) + 1;
        actual.push_back(least);
        wanted.push_back(std::max((i < gaps.size() ? gaps[i] : 0) + kMargin, least + 2));
    }
    const auto frames = half(0) + half(titles_.size() - 1) + 1;
    const auto used = gutter + frames + std::accumulate(actual.begin(), actual.end(), std::size_t{0});
    if (used < kLadderWidth) widen(actual, wanted, kLadderWidth - used);
    std::size_t at = gutter + half(0);
    for (std::size_t i = 0; i < titles_.size(); ++i) {
        columns_.push_back(at);
        if (i < actual.size()) at += actual[i];
    }
    width_ = std::max(kLadderWidth, columns_.back() + half(titles_.size() - 1));
}

std::size_t LadderPage::half(std::size_t party) const
{
    return party < titles_.size() ? characters(titles_[party]).size() / 2 + kHalfFrame : kHalfFrame;
}

std::string LadderPage::line(std::string_view gutter, char vertical, std::string_view text,
                             std::size_t at) const
{
    Cells cells;
    cells.put(0, gutter);
    for (const auto column : columns_)
        cells.put(column, std::string_view{vertical == '|' ? "|" : ":"});
    cells.put(at, text);
    return cells.text();
}

std::string LadderPage::line(std::string_view gutter, char vertical) const
{
    return line(gutter, vertical, {}, 0);
}

std::string LadderPage::head() const
{
    std::vector<std::string> frames;
    std::vector<std::string> names;
    for (const auto& title : titles_) {
        frames.push_back("+" + std::string(characters(title).size() + 2, '-') + "+");
        names.push_back("| " + title + " |");
    }
    std::string out;
    for (const auto* texts : {&frames, &names, &frames}) {
        Cells cells;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            cells.put(columns_[i] - half(i), (*texts)[i]);
        out += cells.text();
    }
    return out + line();
}

std::string LadderPage::shaft(const DrawnArrow& arrow) const
{
    const auto left = columns_[std::min(arrow.from, arrow.to)];
    const auto right = columns_[std::max(arrow.from, arrow.to)];
    std::string text(right - left - 1, '-');
    if (arrow.inferred)
        for (std::size_t i = 1; i < text.size(); i += 2)
            text[i] = ' ';
    if (arrow.failed) text[text.size() / 2] = 'x';
    (arrow.from < arrow.to ? text.back() : text.front()) = arrow.from < arrow.to ? '>' : '<';
    return line({}, '|', text, left + 1);
}

std::string LadderPage::arrow(const DrawnArrow& arrow, std::string_view gutter) const
{
    const auto left = std::min(arrow.from, arrow.to);
    auto at = columns_[left] + 2;
    auto room = left + 1 < columns_.size() ? columns_[left + 1] - columns_[left] - 3 : 0;
    const auto fits = [&room](const std::string& text) { return characters(text).size() <= room; };
    if (room < kReadableGap && !std::all_of(arrow.words.begin(), arrow.words.end(), fits)) {
        // The text goes on over the verticals to its right.
        room = at + kLeastRoom < width_ ? width_ - at : kLeastRoom;
        at = width_ - room;
    }
    std::string out;
    for (const auto& text : arrow.words)
        for (const auto& part : wrap(text, room)) {
            out += line(gutter, '|', part, at);
            gutter = {};
        }
    if (arrow.from != arrow.to) out += shaft(arrow);
    return out + line();
}

} // namespace acmetool::cli
