#pragma once

#include <iosfwd>
#include <vector>

#include "cli/evaluation/summary.hpp"

/// The same rows in three forms, with the same names. Scores are shares from 0 to 1 in JSON and CSV and percent in
/// tables; a method's interval of 95% is NAME_low to NAME_high there and in brackets in tables. What there is none of
/// is null in JSON, nothing in CSV and "-" in tables.
namespace kvmesh::cli {

/// A table for each task and one over all; what failed below them.
void print_tables(const std::vector<SummaryRow>& rows, std::ostream& out);

/// One object a line, method and task.
void print_json(const std::vector<SummaryRow>& rows, std::ostream& out);

/// A head and one line a method and task, RFC 4180.
void print_csv(const std::vector<SummaryRow>& rows, std::ostream& out);

}  // namespace kvmesh::cli
