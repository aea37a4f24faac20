// teap-relay: RADIUS and TEAP server that enrols through ACME (RFC 7170, RFC 3579, RFC 8555, RFC 9444).
#include "cli/program.h"
#include "relay/relay_program.h"

using namespace acmetool;

int main(int argc, char** argv)
{
    cli::Program program{"teap-relay", "RADIUS/TEAP server that enrols through ACME"};
    cli::RelayOptions options;
    cli::add_relay(program, options, "teap-relay", relay::Kind::teap,
                   "answer RADIUS requests until SIGTERM; SIGHUP reloads");
    return program.main(argc, argv);
}
