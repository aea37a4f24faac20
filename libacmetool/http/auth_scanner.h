#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace acmetool::http
{

/// Reads the words and parameters of WWW-Authenticate and Authorization headers: "Scheme name=value,
/// name="quoted", Scheme2 ..." (RFC 9110 section 11).
class AuthScanner
{
public:
    explicit AuthScanner(std::string_view text) : rest_(text) {}

    struct Item {
        std::string name;
        std::optional<std::string> value; ///< absent: `name` is a scheme (or a token68, which is skipped)
    };

    std::optional<Item> next()
    {
        skip(" \t,");
        if (rest_.empty()) return std::nullopt;
        Item item{take_token(), std::nullopt};
        if (item.name.empty()) {
            rest_.remove_prefix(1); // an unexpected character
            return item;
        }
        const auto before = rest_;
        skip(" \t");
        if (!rest_.starts_with('=')) {
            rest_ = before;
            return item;
        }
        rest_.remove_prefix(1);
        skip(" \t");
        item.value = rest_.starts_with('"') ? take_quoted() : take_token();
        return item;
    }

private:
    void skip(std::string_view characters)
    {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
    }
    std::string take_token()
    {
        const auto end = std::min(rest_.find_first_of(" \t,=\""), rest_.size());
        std::string token{rest_.substr(0, end)};
        rest_.remove_prefix(end);
        return token;
    }
    std::string take_quoted()
    {
        rest_.remove_prefix(1);
        std::string text;
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
            text += rest_.front();
            rest_.remove_prefix(1);
        }
        if (!rest_.empty()) rest_.remove_prefix(1);
        return text;
    }

    std::string_view rest_;
};

} // namespace acmetool::http
