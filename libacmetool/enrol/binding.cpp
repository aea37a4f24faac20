#include "enrol/binding.h"

namespace acmetool::enrol
{

Binding compare_binding(const crypto::Csr& csr, const std::optional<crypto::ChannelBinding>& own)
{
    auto given = csr.challenge_password.value_or("");
    std::erase_if(given, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    if (given.empty()) return Binding::absent;
    return own && given == own->to_base64() ? Binding::matches : Binding::differs;
}

} // namespace acmetool::enrol
