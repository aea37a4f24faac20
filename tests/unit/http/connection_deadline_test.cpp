#include "http/connection_deadline.h"

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

using namespace acmetool;
using namespace std::chrono_literals;

TEST_CASE("the deadline of a connection moves in both directions, and the last one counts")
{
    boost::asio::io_context io;
    const auto work = boost::asio::make_work_guard(io);
    http::ConnectionDeadline::Socket socket{io, boost::asio::ip::tcp::v4()};
    http::ConnectionDeadline deadline{socket};
    deadline.set(0s);
    deadline.set(1h);
    CHECK(io.poll() > 0); // the timer, too early
    CHECK(socket.is_open());
    deadline.set(0s);
    io.poll();
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
        io.poll();
        CHECK(first.is_open());
        deadline.set(0s);
    }
    io.poll();
    CHECK(first.is_open());
    http::ConnectionDeadline deadline{first};
    auto second = std::move(first);
    deadline.guard(second);
    deadline.set(0s);
    io.poll();
    CHECK_FALSE(second.is_open());
}
