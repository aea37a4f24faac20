#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "relay/device_report.h"
#include "relay/event_text.h"
#include "relay/screen.h"

// The words of DeviceReport: sentences, document and screen.
namespace acmetool::relay
{
namespace
{

std::string shown(std::string_view text)
{
    return base::printable(text, 500);
}

std::string names_in(const std::vector<crypto::Identifier>& identifiers)
{
    std::string text;
    for (const auto& identifier : identifiers)
        text += (text.empty() ? "" : ", ") + shown(identifier.value);
    return text;
}

base::Json json_of(const std::vector<crypto::Identifier>& identifiers)
{
    base::Json list = base::Json::array();
    for (const auto& identifier : identifiers)
        list.push_back({{"type", identifier.type}, {"value", identifier.value}});
    return list;
}

bool is_remembered(const ra::OrderRow& order, base::TimePoint now)
{
    return order.state == ra::OrderState::failed && order.created <= now && now < order.until;
}

std::string progress_of_voucher(const registrar::Device& voucher, base::TimePoint now)
{
    const auto masa = shown(voucher.masa_url);
    const auto reason = voucher.reason.empty() ? std::string{} : ": " + shown(voucher.reason);
    switch (voucher.state) {
    case registrar::State::asking:
        return fmt::format("no voucher yet: the MASA {} is asked since {}; the device asks again", masa,
                           base::describe(now - voucher.since));
    case registrar::State::auditing:
        return fmt::format("the voucher is here, and the MASA {} is asked for its log since {}; the device "
                           "asks again",
                           masa, base::describe(now - voucher.since));
    case registrar::State::ready:
        return "the voucher is ready: the device gets it when it asks again";
    case registrar::State::refused:
        return fmt::format("the device got no voucher{}; the next voucher-request of the device is a new try",
                           reason);
    case registrar::State::forwarded:
        break;
    }
    if (voucher.voucher_status.starts_with("failure"))
        return "the device says that its voucher is not good; it has to ask for another one";
    return "the device has its voucher, and has not asked for a certificate yet";
}

/// What happens next, and what may be done.
std::vector<std::string> next_of_voucher(const registrar::Device& voucher, const std::string& asked,
                                         const std::string& program, base::TimePoint now)
{
    std::vector<std::string> next{progress_of_voucher(voucher, now)};
    if (voucher.cause != registrar::Cause::none)
        next.push_back(advice_for_voucher(voucher.cause, program, asked));
    else if (voucher.voucher_status.starts_with("failure"))
        next.push_back(
            fmt::format("see whether the device trusts the CA of its MASA's voucher; `{} retry {}` "
                        "has the MASA asked for another voucher if the device repeats its request",
                        program, shown(asked)));
    return next;
}

std::string next_of_order(const ra::OrderRow& order, const std::string& asked, const std::string& program,
                          base::TimePoint now)
{
    if (is_remembered(order, now))
        return fmt::format("the failure is remembered until {}; `{} retry {}` ends that",
                           base::to_rfc3339(order.until), program, shown(asked));
    if (order.state == ra::OrderState::failed)
        return !order.url.empty() || order.unsure
                   ? "the next request of the device continues the order at the CA"
                   : "the next request of the device places a new order";
    return fmt::format("the order waits for the CA since {}; the device asks again",
                       base::describe(now - order.created));
}

std::string next_of_certificate(const ra::IssuedTo& issued, base::TimePoint now)
{
    const auto& certificate = issued.certificate;
    if (issued.revoked)
        return fmt::format("its certificate was revoked at {}: the device needs one for a new key, and may "
                           "enrol with the certificate of its manufacturer",
                           base::to_rfc3339(*issued.revoked));
    if (certificate.not_after <= now)
        return fmt::format("its certificate expired at {}: the device has to enrol again",
                           base::to_rfc3339(certificate.not_after));
    return fmt::format("the device has a certificate until {}, and renews it before",
                       base::to_rfc3339(certificate.not_after));
}

/// Empty: there is none.
std::string inventory_name(const DeviceReport& report)
{
    return report.inventory_in_store ? "the store" : shown(report.inventory);
}

/// What the inventory forbids; empty: nothing.
std::string objection(const DeviceReport& report)
{
    const auto file = inventory_name(report);
    if (report.listing == Listing::absent && report.inventory_in_store)
        return fmt::format("not in the inventory in the store: its requests get 403; `{} inventory add {}` "
                           "adds it",
                           report.program, shown(report.device.serial));
    if (report.listing == Listing::absent && report.inventory.empty())
        return "no inventory is configured: its requests get 403";
    if (report.listing == Listing::absent)
        return fmt::format(
            "not in the inventory {}: its requests get 403; add the line \"{}\" and reload the "
            "relay",
            file, shown(report.device.serial));
    if (report.listing == Listing::other_manufacturer)
        return fmt::format(
            "the inventory {} has its serial number for another manufacturer: its requests get "
            "403",
            report.inventory_in_store ? "in the store" : file);
    return {};
}

/// The newest refusal that nothing good came after; null: none.
const ra::Event* last_refusal(const DeviceReport& report)
{
    const auto* const order = report.orders.empty() ? nullptr : &report.orders.front();
    for (const auto& event : report.events) {
        // An order knows no more than its second: what was decided in it says what came first.
        if (order != nullptr && event.at < order->created) return nullptr;
        if (event.outcome == "issued" || event.outcome == "pending" || event.outcome == "accept")
            return nullptr;
        // What becomes of an order is told of the order.
        if (is_bad(event) && event.what != "order" && event.cause != "internalCAError") return &event;
    }
    return nullptr;
}

std::string next_of_refusal(const ra::Event& event, const std::string& program, bool is_explained)
{
    const auto advice = is_explained ? std::string{} : advice_for(event, program);
    return fmt::format("{} at {}: {}{}",
                       event.device.empty() ? "somebody who claims to be this device was refused"
                                            : "the last request of the device was refused",
                       base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(event.at)),
                       shown(sentence_of(event)), advice.empty() ? "" : "; " + advice);
}

/// "  label     text", folded.
void add_line(std::string& screen, std::string_view label, std::string_view text)
{
    constexpr std::size_t kWidth = 80;
    constexpr std::size_t kIndent = 16; // of the longest label, "manufacturer"
    bool is_first = true;
    for (const auto& part : folded(text, kWidth - kIndent)) {
        screen += fmt::format("  {:<{}}{}\n", is_first ? label : std::string_view{}, kIndent - 2, part);
        is_first = false;
    }
}

std::string_view word_of(Listing listing)
{
    constexpr std::string_view kWords[] = {"listed", "otherManufacturer", "absent", "notNeeded",
                                           "unreadable"};
    return kWords[static_cast<std::size_t>(listing)];
}

std::string_view state_of(const registrar::Device& voucher)
{
    return voucher.certificate.empty() ? registrar::name_of(voucher.state) : "enrolled";
}

void add_order(std::string& screen, const ra::OrderRow& order)
{
    screen += fmt::format("{} {} since {}\n", order.renewal ? "renewal" : "order", ra::name_of(order.state),
                          base::to_rfc3339(order.created));
    add_line(screen, "names", names_in(order.identifiers));
    if (!order.request_id.empty()) add_line(screen, "request id", shown(order.request_id));
    if (!order.url.empty()) add_line(screen, "at the CA", shown(order.url));
    if (order.state != ra::OrderState::failed) return;
    add_line(screen, "refused",
             fmt::format("{}: {}", enrol::name_of(order.failure.why), shown(order.failure.text)));
    add_line(screen, "next try", base::to_rfc3339(order.until));
}

} // namespace

std::string listing_text(const DeviceReport& report)
{
    const auto file = inventory_name(report);
    switch (report.listing) {
    case Listing::listed:
        return "listed in " + file;
    case Listing::other_manufacturer:
        return file + " has its serial number for another manufacturer";
    case Listing::absent:
        return file.empty() ? "none is configured" : "not in " + file;
    case Listing::not_needed:
        return report.device.serial.empty() ? "not needed: a user" : "not needed: accept_any";
    case Listing::unreadable:
        break;
    }
    return file + " cannot be read";
}

std::vector<std::string> next_of(const DeviceReport& report, const std::string& asked,
                                 const std::string& program, base::TimePoint now)
{
    std::vector<std::string> next;
    if (report.block)
        next.push_back(fmt::format("the device is blocked; `{} unblock {}` ends that", program,
                                   shown(report.block->device)));
    if (auto forbidden = objection(report); !forbidden.empty()) next.push_back(std::move(forbidden));
    const bool is_explained = !next.empty();
    const auto* order = report.orders.empty() ? nullptr : &report.orders.front();
    const auto* voucher = report.voucher ? &*report.voucher : nullptr;
    // What came last is what the device waits for.
    const bool waits_for_voucher = voucher != nullptr && voucher->certificate.empty() &&
                                   (order == nullptr || order->created < voucher->since);
    if (waits_for_voucher)
        for (auto& sentence : next_of_voucher(*voucher, asked, program, now))
            next.push_back(std::move(sentence));
    else if (order != nullptr && order->state != ra::OrderState::issued)
        next.push_back(next_of_order(*order, asked, program, now));
    else if (!report.certificates.empty())
        next.push_back(next_of_certificate(report.certificates.front(), now));
    if (const auto* const refusal = last_refusal(report); refusal != nullptr && !waits_for_voucher)
        next.push_back(next_of_refusal(*refusal, program, is_explained));
    if (next.empty())
        next.push_back("the device has never asked for a certificate: check that it reaches the relay, and "
                       "the log for refused connections");
    return next;
}

base::Json to_json(const DeviceReport& report)
{
    base::Json document{{"inventory", word_of(report.listing)}};
    const auto add = [](base::Json& object, const char* name, const std::string& value) {
        if (!value.empty()) object[name] = shown(value);
    };
    add(document, "device", report.device.id);
    add(document, "serial", report.device.serial);
    add(document, "manufacturer", report.device.manufacturer);
    if (report.block)
        document["blocked"] = {{"as", shown(report.block->device)},
                               {"since", base::to_rfc3339(report.block->at)}};
    document["names"] = report.names;
    auto& orders = document["orders"] = base::Json::array();
    for (const auto& row : report.orders) {
        base::Json order{{"state", ra::name_of(row.state)},
                         {"since", base::to_rfc3339(row.created)},
                         {"identifiers", json_of(row.identifiers)},
                         {"renewal", row.renewal}};
        add(order, "requestId", row.request_id);
        add(order, "label", row.label);
        add(order, "url", row.url);
        if (row.state == ra::OrderState::failed) {
            order["refusal"] = {{"why", enrol::name_of(row.failure.why)}, {"text", shown(row.failure.text)}};
            order["nextTry"] = base::to_rfc3339(row.until);
        }
        orders.push_back(std::move(order));
    }
    auto& certificates = document["certificates"] = base::Json::array();
    for (const auto& issued : report.certificates) {
        base::Json certificate{{"serial", issued.certificate.serial},
                               {"identifiers", json_of(issued.certificate.identifiers)},
                               {"notBefore", base::to_rfc3339(issued.certificate.not_before)},
                               {"notAfter", base::to_rfc3339(issued.certificate.not_after)}};
        if (issued.revoked) certificate["revoked"] = base::to_rfc3339(*issued.revoked);
        certificates.push_back(std::move(certificate));
    }
    if (report.voucher) {
        base::Json voucher{{"state", state_of(*report.voucher)},
                           {"manufacturer", report.voucher->manufacturer},
                           {"since", base::to_rfc3339(report.voucher->since)},
                           {"masa", shown(report.voucher->masa_url)}};
        add(voucher, "cause", std::string{registrar::name_of(report.voucher->cause)});
        add(voucher, "reason", report.voucher->reason);
        add(voucher, "voucherStatus", report.voucher->voucher_status);
        add(voucher, "enrollStatus", report.voucher->enroll_status);
        document["voucher"] = std::move(voucher);
    }
    auto& events = document["events"] = base::Json::array();
    for (const auto& event : report.events)
        events.push_back(to_json(event, report.program));
    document["next"] = report.next;
    return document;
}

std::string to_text(const DeviceReport& report)
{
    const auto& device = report.device;
    std::string screen = fmt::format("device {}\n", shown(device.serial.empty() ? device.id : device.serial));
    add_line(screen, "identifier",
             !device.id.empty()      ? shown(device.id)
             : report.events.empty() ? "none: never seen"
                                     : "none: nobody proved to be it");
    if (!device.manufacturer.empty()) add_line(screen, "manufacturer", shown(device.manufacturer));
    add_line(screen, "inventory", listing_text(report));
    add_line(screen, "blocked",
             report.block ? fmt::format("since {}, as {}", base::to_rfc3339(report.block->at),
                                        shown(report.block->device))
                          : "no");
    if (!report.names.empty()) add_line(screen, "names", base::join(report.names, ", "));
    for (const auto& order : report.orders)
        add_order(screen, order);
    for (const auto& issued : report.certificates) {
        screen += fmt::format("certificate {}\n", issued.certificate.serial);
        add_line(screen, "names", names_in(issued.certificate.identifiers));
        add_line(screen, "valid",
                 fmt::format("{} to {}", base::to_rfc3339(issued.certificate.not_before),
                             base::to_rfc3339(issued.certificate.not_after)));
        if (issued.revoked) add_line(screen, "revoked", base::to_rfc3339(*issued.revoked));
    }
    if (report.voucher) {
        const auto& voucher = *report.voucher;
        screen +=
            fmt::format("voucher-request {} since {}\n", state_of(voucher), base::to_rfc3339(voucher.since));
        add_line(screen, "manufacturer", shown(voucher.manufacturer));
        add_line(screen, "MASA", shown(voucher.masa_url));
        if (!voucher.reason.empty()) add_line(screen, "reason", shown(voucher.reason));
        if (!voucher.voucher_status.empty()) add_line(screen, "voucher", shown(voucher.voucher_status));
        if (!voucher.enroll_status.empty()) add_line(screen, "enrolment", shown(voucher.enroll_status));
    }
    constexpr std::size_t kEventsAsText = 3;
    for (std::size_t i = 0; i < report.events.size() && i < kEventsAsText; ++i) {
        const auto& event = report.events[i];
        screen += fmt::format("event at {}: {}\n",
                              base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(event.at)),
                              shown(heading_of(event)));
        add_line(screen, "request id", shown(event.request_id));
        add_line(screen, "from", shown(event.address));
        add_line(screen, "because", shown(sentence_of(event)));
    }
    for (const auto& sentence : report.next)
        for (const auto& part : folded("next: " + sentence, 80))
            screen += part + "\n";
    return screen;
}

} // namespace acmetool::relay
