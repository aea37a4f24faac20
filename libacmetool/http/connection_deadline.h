#pragma once

#include <algorithm>
#include <chrono>
#include <memory>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace acmetool::http
{

/// Closes a connection at its deadline, whatever it waits for then.
///
/// One timer for the whole connection, and most changes of the deadline leave it as it is: a timer that fires
/// too early waits again. Each timer that is set is a system call, and beast::tcp_stream sets one for every
/// read and write.
///
/// All calls belong to the connection's thread.
class ConnectionDeadline
{
public:
    using Clock = std::chrono::steady_clock;
    using Socket = boost::asio::ip::tcp::socket;

    explicit ConnectionDeadline(Socket& socket) : state_(std::make_shared<State>(socket)) {}
    ~ConnectionDeadline()
    {
        state_->socket = nullptr;
        state_->timer.cancel();
    }
    ConnectionDeadline(const ConnectionDeadline&) = delete;
    ConnectionDeadline& operator=(const ConnectionDeadline&) = delete;

    /// The connection goes on in this socket.
    void guard(Socket& socket) { state_->socket = &socket; }
    void set(std::chrono::seconds from_now)
    {
        state_->deadline = Clock::now() + from_now;
        if (state_->deadline < state_->fires) State::wait(state_);
    }
    /// There is none for now.
    void clear() { state_->deadline = kNever; }

private:
    static constexpr Clock::time_point kNever = Clock::time_point::max();

    struct State {
        explicit State(Socket& guarded) : socket(&guarded), timer(guarded.get_executor()) {}

        static void wait(const std::shared_ptr<State>& state)
        {
            state->fires = state->deadline;
            state->timer.expires_at(state->fires); // ends a wait for a later time
            state->timer.async_wait([state](const boost::system::error_code& cancelled) {
                if (cancelled || state->socket == nullptr) return;
                state->fires = kNever;
                if (state->deadline <= Clock::now()) {
                    boost::system::error_code none;
                    state->socket->close(none);
                } else if (state->deadline != kNever) {
                    wait(state);
                }
            });
        }

        Socket* socket; ///< null: the connection has ended
        boost::asio::steady_timer timer;
        Clock::time_point deadline = kNever;
        Clock::time_point fires = kNever; ///< the time for which the timer is set
    };

    std::shared_ptr<State> state_;
};

} // namespace acmetool::http
