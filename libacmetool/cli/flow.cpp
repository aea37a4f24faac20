#include "cli/flow.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/trace.h"

namespace acmetool::cli
{
namespace
{

std::vector<std::string> parties_with(const base::Message& message)
{
    const auto has = [&message](const char* party) { return message.from == party || message.to == party; };
    if (has("ra")) return {"client", "ra", "acme", "masa", "dns"};
    if (has("est")) return {"client", "est"};
    if (has("teap")) return {"client", "teap"};
    return {"client", "acme", "dns"};
}

} // namespace

std::vector<std::string> words_of(const base::Message& message)
{
    auto label = message.label;
    if (message.took) label += fmt::format(" ({} ms)", message.took->count());
    if (message.inferred) label += " (inferred)";
    std::vector<std::string> words{std::move(label)};
    if (!message.detail.empty())
        words.push_back(base::is_failure(message) ? " " + message.detail
                                                  : fmt::format(" \"{}\"", message.detail));
    return words;
}

std::string Ladder::draw(const base::Message& message)
{
    std::string out;
    if (!page_) {
        parties_ = parties_with(message);
        std::vector<std::string> titles;
        for (const auto& party : parties_)
            titles.push_back(title_of_party(party));
        page_.emplace(std::move(titles), 0, std::vector<std::size_t>(parties_.size() - 1, kLadderWidth));
        out = page_->head();
    }
    for (const auto& earlier : inference_.before(message))
        out += arrow(earlier);
    return out + arrow(message);
}

std::string Ladder::arrow(const base::Message& message) const
{
    const auto column = [this](const std::string& party) {
        const auto found = std::find(parties_.begin(), parties_.end(), party);
        // A hook or a web server is drawn in place of DNS.
        return std::min<std::size_t>(static_cast<std::size_t>(found - parties_.begin()), parties_.size() - 1);
    };
    return page_->arrow({column(message.from), column(message.to), words_of(message),
                         base::is_failure(message), message.inferred});
}

} // namespace acmetool::cli
