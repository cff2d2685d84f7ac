#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kvmesh::bus::test {

/// Stands between two ends on tcp, passes on what comes, and can break every connection at once.
class CutProxy {
 public:
  /// `port`: of the listener on 127.0.0.1 that it connects to.
  explicit CutProxy(std::uint16_t port) : to_(port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("the proxy cannot listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~CutProxy() {
    stop_ = true;
    thread_.join();
    hang_up();
    ::close(listener_);
  }
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  std::uint16_t port() const { return port_; }
  /// Breaks what is connected now; what was read and not passed on is lost.
  void cut() { cut_ = true; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  void run() {
    while (!stop_) {
      if (cut_.exchange(false)) hang_up();
      std::vector<pollfd> items{{.fd = listener_, .events = POLLIN, .revents = 0}};
      for (const auto& [from, to] : peers_) items.push_back({.fd = from, .events = POLLIN, .revents = 0});
      ::poll(items.data(), items.size(), /*ms=*/10);
      if (items[0].revents != 0) accept();
      for (std::size_t i = 1; i < items.size(); ++i)
        if (items[i].revents != 0 && !pass_on(items[i].fd)) break;
    }
  }

  void accept() {
    const int from = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int to = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(to_);
    if (from < 0 || ::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(from);
      ::close(to);
      return;
    }
    peers_[from] = to;
    peers_[to] = from;
  }

  bool pass_on(int from) {
    std::array<char, 65536> bytes;
    const ssize_t count = ::read(from, bytes.data(), bytes.size());
    const int to = peers_.at(from);
    if (count > 0 && ::send(to, bytes.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) == count) return true;
    ::close(from);
    ::close(to);
    peers_.erase(from);
    peers_.erase(to);
    return false;
  }

  void hang_up() {
    for (const auto& [from, to] : peers_) ::close(from);
    peers_.clear();
  }

  const std::uint16_t to_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false, cut_ = false;
  std::map<int, int> peers_;  ///< both ways
  std::thread thread_;
};

}  // namespace kvmesh::bus::test
