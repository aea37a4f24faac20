#pragma once

#include <string>

#include "base/json.h"
#include "cli/description.h"

/// --help: text of at most 80 columns, and with --json a document.
namespace acmetool::cli
{

/// The program's commands; its options if it has only one job.
std::string help_text(const ProgramInfo& program);
/// One command: its options by group, and its example.
std::string help_text(const ProgramInfo& program, const VerbInfo& verb);

/// The members of the `help` document for all commands, or only for `verb` unless it is null.
base::Json help_members(const ProgramInfo& program, const VerbInfo* verb);

} // namespace acmetool::cli
