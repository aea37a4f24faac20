#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "relay/recent.h"

namespace acmetool::relay
{

enum class MetricsForm {
    open_metrics, ///< OpenMetrics 1.0
    prometheus,   ///< text format 0.0.4, for those that cannot read the other
};

/// Writes the text of /metrics. A family is declared once, and its samples follow. docs/METRICS.md lists all.
class Metrics
{
public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string>>;

    explicit Metrics(MetricsForm form) : form_(form) {}

    void counter(std::string_view family, std::string_view help) { declare(family, "counter", help); }
    void gauge(std::string_view family, std::string_view help) { declare(family, "gauge", help); }
    void histogram(std::string_view family, std::string_view help) { declare(family, "histogram", help); }

    /// A sample of a counter, whose name ends in _total.
    void count(std::string_view family, std::uint64_t value, Labels labels = {});
    void value(std::string_view family, std::int64_t value, Labels labels = {});
    void distribution(std::string_view family, const Histogram& histogram, Labels labels);

    std::string text() const;

private:
    void declare(std::string_view family, std::string_view type, std::string_view help);

    MetricsForm form_;
    std::string text_;
};

} // namespace acmetool::relay
