#include "base/json.h"

#include <set>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/steering.h"

namespace acmetool::base
{
namespace
{

/// Builds the value while the parser reports events, and stops at the first thing we do not take.
class StrictBuilder final : public nlohmann::json_sax<Json>
{
public:
    explicit StrictBuilder(std::size_t depth_limit) : depth_limit_(depth_limit) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return stop("binary value"); }

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool key(string_t& name) override
    {
        if (!open_.back().names.insert(name).second)
            return stop(fmt::format("member \"{}\" occurs twice", name));
        open_.back().name = std::move(name);
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_array() override { return close(); }

    bool parse_error(std::size_t position, const std::string&, const Json::exception&) override
    {
        return stop(fmt::format("not valid JSON at octet {}", position));
    }

    Json take() { return std::move(root_); }
    const std::string& why() const { return why_; }

private:
    struct Level {
        Json value;
        std::string name;
        std::set<std::string, std::less<>> names;
    };

    bool open(Json container)
    {
        if (open_.size() >= depth_limit_) return stop(fmt::format("nested deeper than {}", depth_limit_));
        open_.push_back({std::move(container), {}, {}});
        return true;
    }

    bool close()
    {
        Json done = std::move(open_.back().value);
        open_.pop_back();
        return put(std::move(done));
    }

    bool put(Json value)
    {
        if (open_.empty())
            root_ = std::move(value);
        else if (open_.back().value.is_array())
            open_.back().value.push_back(std::move(value));
        else
            open_.back().value.emplace(std::move(open_.back().name), std::move(value));
        return true;
    }

    bool stop(std::string why)
    {
        why_ = std::move(why);
        return false;
    }

    std::size_t depth_limit_;
    std::vector<Level> open_;
    Json root_;
    std::string why_;
};

} // namespace

Result<Json> parse_json(std::string_view text, std::string_view what, JsonLimits limits)
{
    if (text.size() > limits.bytes)
        return fail(Errc::bad_input, fmt::format("{}: longer than {} octets", what, limits.bytes));
    StrictBuilder builder{limits.depth};
    if (!Json::sax_parse(text, &builder))
        return fail(Errc::bad_input, fmt::format("{}: {}", what, builder.why()));
    return builder.take();
}

Result<Json> parse_json_object(std::string_view text, std::string_view what, JsonLimits limits)
{
    auto value = parse_json(text, what, limits);
    if (value && !value->is_object())
        return fail(Errc::bad_input, fmt::format("{}: not a JSON object", what));
    return value;
}

std::optional<std::string> string_member(const Json& object, std::string_view name)
{
    if (!object.is_object()) return std::nullopt;
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string()) return std::nullopt;
    return member->get<std::string>();
}

Result<std::string> required_string(const Json& object, std::string_view name, std::string_view what)
{
    if (auto value = string_member(object, name)) return std::move(*value);
    return fail(Errc::bad_input, fmt::format("{}: no string member \"{}\"", what, name));
}

bool bool_member(const Json& object, std::string_view name, bool fallback)
{
    if (!object.is_object()) return fallback;
    const auto member = object.find(name);
    return member != object.end() && member->is_boolean() ? member->get<bool>() : fallback;
}

std::string to_text(const Json& value, int indent)
{
    return escape_steering(value.dump(indent, ' ', false, Json::error_handler_t::replace));
}

} // namespace acmetool::base
