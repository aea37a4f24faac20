#define DOCTEST_CONFIG_IMPLEMENT
#include <csignal>

#include <doctest/doctest.h>

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN); // as every program does, whichever test is the first
    return doctest::Context{argc, argv}.run();
}
