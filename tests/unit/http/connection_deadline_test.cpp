#include "http/connection_deadline.h"

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// Runs what is due by now. poll() alone may be faster than the kernel's timer, also with one that is in the
/// past.
std::size_t run_due(boost::asio::io_context& io)
{
    bool over = false;
    boost::asio::steady_timer last{io, std::chrono::steady_clock::now()};
    last.async_wait([&over](const boost::system::error_code&) { over = true; });
    std::size_t others = io.run_one();
    while (!over)
        others += io.run_one();
    return others - 1;
}

} // namespace

TEST_CASE("the deadline of a connection moves in both directions, and the last one counts")
{
    boost::asio::io_context io;
    const auto work = boost::asio::make_work_guard(io);
    http::ConnectionDeadline::Socket socket{io, boost::asio::ip::tcp::v4()};
    http::ConnectionDeadline deadline{socket};
    deadline.set(0s);
    deadline.set(1h);
    CHECK(run_due(io) > 0); // the timer, too early
    CHECK(socket.is_open());
    deadline.set(0s);
    run_due(io);
    CHECK_FALSE(socket.is_open());
}

TEST_CASE("a deadline that was cleared closes nothing, nor does one whose connection has ended")
{
    boost::asio::io_context io;
    const auto work = boost::asio::make_work_guard(io);
    http::ConnectionDeadline::Socket first{io, boost::asio::ip::tcp::v4()};
    {
        http::ConnectionDeadline deadline{first};
        deadline.set(0s);
        deadline.clear();
        run_due(io);
        CHECK(first.is_open());
        deadline.set(0s);
    }
    run_due(io);
    CHECK(first.is_open());
    http::ConnectionDeadline deadline{first};
    auto second = std::move(first);
    deadline.guard(second);
    deadline.set(0s);
    run_due(io);
    CHECK_FALSE(second.is_open());
}
