#include "core/device.h"

namespace td {

void MemoryAccount::take(int64_t bytes) {
  const int64_t used = used_.fetch_add(bytes) + bytes;
  if (limit_ > 0 && used > limit_) {
    used_.fetch_sub(bytes);
    fail(TD_OUT_OF_MEMORY, "%s: %s more would exceed its memory limit of %s (%s in use)", device_.c_str(),
         bytesText(bytes).c_str(), bytesText(limit_).c_str(), bytesText(used - bytes).c_str());
  }
  int64_t peak = peak_.load();
  while (peak < used && !peak_.compare_exchange_weak(peak, used)) {
  }
}

}  // namespace td
