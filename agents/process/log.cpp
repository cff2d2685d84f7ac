#include "agents/process/log.hpp"

#include <spdlog/spdlog.h>

namespace kvmesh::agents {

void log_debug(const std::string& text) { spdlog::debug(text); }
void log_info(const std::string& text) { spdlog::info(text); }
void log_warning(const std::string& text) { spdlog::warn(text); }

}  // namespace kvmesh::agents
