// Errors inside the library: thrown as Failure, turned into a td_status and a message at the C boundary (api.cpp).
#pragma once

#include <stdexcept>
#include <string>

#include "tandem.h"

namespace td {

class Failure : public std::runtime_error {
 public:
  Failure(td_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  td_status status() const { return status_; }

 private:
  td_status status_;
};

// Throws a Failure whose message is formatted as by printf.
[[noreturn]] void fail(td_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// "1.50 GiB": for messages.
std::string bytesText(int64_t bytes);

// The name of a td_type ("Q4_0"), or "type 99".
std::string typeName(int32_t type);

}  // namespace td
