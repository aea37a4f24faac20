#include "cli/description.h"

namespace acmetool::cli
{

std::string call_of(const ProgramInfo& program, const VerbInfo& verb)
{
    return verb.name.empty() ? program.name : program.name + " " + verb.name;
}

std::string alternatives(const std::vector<std::string>& words)
{
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += words[i];
    }
    return text;
}

} // namespace acmetool::cli
