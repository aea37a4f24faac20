#include "base/word.h"

#include <algorithm>

namespace acmetool::base
{
namespace
{

constexpr std::size_t kLongestWord = 64;

bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

} // namespace

bool is_word(std::string_view text)
{
    return !text.empty() && text.size() <= kLongestWord && is_plain(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_plain(c) || c == '-' || c == '_'; });
}

} // namespace acmetool::base
