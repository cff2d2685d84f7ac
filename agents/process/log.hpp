#pragma once

#include <string>

/// The process's log (spdlog's default logger), compiled once: its templates took three seconds of compiler in each
/// file. From any thread.
namespace kvmesh::agents {

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warning(const std::string& text);

}  // namespace kvmesh::agents
