#include "enrol/registration_authority.h"

namespace acmetool::enrol
{

Peer Peer::clone() const
{
    Peer copy;
    copy.certificates = certificates;
    copy.user = user;
    copy.password = base::Secret{std::string{password.reveal()}};
    copy.address = address;
    return copy;
}

} // namespace acmetool::enrol
