#include <doctest/doctest.h>

#include "relay/metrics.h"

using namespace acmetool;
using relay::Metrics;
using relay::MetricsForm;

TEST_CASE("OPR-35: metrics: both forms, and labels of peers harmless in them")
{
    const auto text = [](MetricsForm form) {
        Metrics metrics{form};
        metrics.counter("a", "Of a.");
        metrics.count("a", 3, {{"cause", "x\\\"\n}"}});
        metrics.gauge("b", "Of b.");
        metrics.value("b", -2);
        return metrics.text();
    };
    CHECK(text(MetricsForm::open_metrics) ==
          "# TYPE a counter\n# HELP a Of a.\na_total{cause=\"x\\\\\\\" }\"} 3\n"
          "# TYPE b gauge\n# HELP b Of b.\nb -2\n# EOF\n");
    CHECK(text(MetricsForm::prometheus) ==
          "# TYPE a_total counter\n# HELP a_total Of a.\na_total{cause=\"x\\\\\\\" }\"} 3\n"
          "# TYPE b gauge\n# HELP b Of b.\nb -2\n");
}

TEST_CASE("OPR-35: metrics: the buckets of a histogram count all below their bound")
{
    relay::Histogram histogram;
    for (const int ms : {1, 20, 20, 700, 60'000})
        histogram.add(std::chrono::milliseconds{ms});
    Metrics metrics{MetricsForm::open_metrics};
    metrics.histogram("t", "Of t.");
    metrics.distribution("t", histogram, {{"outcome", "issued"}});
    const auto text = metrics.text();
    for (const auto* line :
         {"t_bucket{outcome=\"issued\",le=\"0.005\"} 1\n", "t_bucket{outcome=\"issued\",le=\"0.025\"} 3\n",
          "t_bucket{outcome=\"issued\",le=\"1.0\"} 4\n", "t_bucket{outcome=\"issued\",le=\"10.0\"} 4\n",
          "t_bucket{outcome=\"issued\",le=\"+Inf\"} 5\n", "t_count{outcome=\"issued\"} 5\n",
          "t_sum{outcome=\"issued\"} 60.741\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}
