#pragma once

#include "base/fold.h"

namespace acmetool::relay
{

using base::folded;

} // namespace acmetool::relay
