// est-relay: EST registration authority in front of an ACME server (RFC 7030, RFC 8555, RFC 9444).
#include "cli/program.h"
#include "relay/relay_program.h"

using namespace acmetool;

int main(int argc, char** argv)
{
    cli::Program program{"est-relay", "EST registration authority in front of an ACME server"};
    cli::RelayOptions options;
    cli::add_relay(program, options, "est-relay", relay::Kind::est,
                   "answer EST requests until SIGTERM; SIGHUP reloads");
    return program.main(argc, argv);
}
