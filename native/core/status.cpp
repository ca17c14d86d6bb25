#include "core/status.h"

#include <cstdarg>
#include <cstdio>

namespace td {

void fail(td_status status, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Failure(status, text);
}

std::string bytesText(int64_t bytes) {
  static const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  char text[48];
  snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
  return text;
}

std::string typeName(int32_t type) {
  switch (type) {
    case TD_F32:
      return "F32";
    case TD_F16:
      return "F16";
    case TD_BF16:
      return "BF16";
    case TD_Q4_0:
      return "Q4_0";
    case TD_Q4_1:
      return "Q4_1";
    case TD_Q8_0:
      return "Q8_0";
    case TD_Q4_K:
      return "Q4_K";
    case TD_Q6_K:
      return "Q6_K";
    case TD_I32:
      return "I32";
    case TD_F64:
      return "F64";
    case TD_ACT8:
      return "ACT8";
    case TD_ACTBF16:
      return "ACTBF16";
    default:
      return "type " + std::to_string(type);
  }
}

}  // namespace td
