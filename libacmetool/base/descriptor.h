#pragma once

#include <utility>

#include <unistd.h>

namespace acmetool::base
{

/// An open file descriptor, closed when it goes.
class Descriptor
{
public:
    Descriptor() = default; ///< none
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor()
    {
        if (fd_ >= 0) close(fd_);
    }
    int get() const { return fd_; } ///< -1: none

private:
    int fd_ = -1;
};

} // namespace acmetool::base
