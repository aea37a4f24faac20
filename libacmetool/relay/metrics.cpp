#include "relay/metrics.h"

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::relay
{
namespace
{

/// Between quotes, as both forms want it.
std::string escaped(std::string_view value)
{
    std::string out;
    for (const char octet : base::printable(value)) {
        if (octet == '\\' || octet == '"') out += '\\';
        out += octet;
    }
    return out;
}

/// "{a="b",c="d"}"; empty without labels. `more` is another label in its final form.
std::string shown(Metrics::Labels labels, std::string_view more = {})
{
    std::string text;
    for (const auto& [name, value] : labels)
        text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, escaped(value));
    if (!more.empty()) text += fmt::format("{}{}", text.empty() ? "" : ",", more);
    return text.empty() ? text : "{" + text + "}";
}

/// OpenMetrics 1.0 writes all bounds as floating-point numbers.
std::string shown_bound(double bound)
{
    auto text = fmt::format("{}", bound);
    if (text.find('.') == std::string::npos) text += ".0";
    return text;
}

} // namespace

void Metrics::declare(std::string_view family, std::string_view type, std::string_view help)
{
    const auto name = form_ == MetricsForm::prometheus && type == "counter" ? fmt::format("{}_total", family)
                                                                            : std::string{family};
    text_ += fmt::format("# TYPE {0} {1}\n# HELP {0} {2}\n", name, type, help);
}

void Metrics::count(std::string_view family, std::uint64_t value, Labels labels)
{
    text_ += fmt::format("{}_total{} {}\n", family, shown(labels), value);
}

void Metrics::value(std::string_view family, std::int64_t value, Labels labels)
{
    text_ += fmt::format("{}{} {}\n", family, shown(labels), value);
}

void Metrics::distribution(std::string_view family, const Histogram& histogram, Labels labels)
{
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
        below += histogram.counts.at(i);
        const auto bound = i < Histogram::kBounds.size() ? shown_bound(Histogram::kBounds.at(i)) : "+Inf";
        text_ +=
            fmt::format("{}_bucket{} {}\n", family, shown(labels, fmt::format("le=\"{}\"", bound)), below);
    }
    text_ += fmt::format("{0}_count{1} {2}\n{0}_sum{1} {3}\n", family, shown(labels), below, histogram.sum);
}

std::string Metrics::text() const
{
    return form_ == MetricsForm::open_metrics ? text_ + "# EOF\n" : text_;
}

} // namespace acmetool::relay
