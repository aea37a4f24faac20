#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "ra/event_records.h"
#include "registrar/decision.h"

/// The words of events: est-relay events, explain, and the page of the administration.
namespace acmetool::relay
{

/// True if somebody got "no", or something failed.
ACMETOOL_EXPORT bool is_bad(const ra::Event& event);

/// What an operator does about it: the event's own hint, or what its cause calls for. Empty: nothing is to be
/// done. `program` is the one that the sentence names.
ACMETOOL_EXPORT std::string advice_for(const ra::Event& event, const std::string& program);

/// What an operator does about a voucher-request that was refused, or whose MASA does not answer.
std::string advice_for_voucher(registrar::Cause cause, const std::string& program, const std::string& device);

/// "decision refused: forbidden".
ACMETOOL_EXPORT std::string heading_of(const ra::Event& event);
/// The sentence of the event, with the words of the CA if it does not have them.
ACMETOOL_EXPORT std::string sentence_of(const ra::Event& event);

/// The members of the document `event`.
ACMETOOL_EXPORT base::Json to_json(const ra::Event& event, const std::string& program);
/// Some lines of a table.
std::string to_text(const ra::Event& event, const std::string& program);
/// The line above them.
std::string event_header();

} // namespace acmetool::relay
