#include "core/device.h"

#include <limits>

namespace td {

void MemoryAccount::take(int64_t bytes) {
  const int64_t most = limit_ > 0 ? limit_ : std::numeric_limits<int64_t>::max();
  int64_t used = used_.load();
  do {
    if (bytes > most - used) {
      fail(TD_OUT_OF_MEMORY, "%s: %s more would exceed its memory limit of %s (%s in use)", device_.c_str(),
           bytesText(bytes).c_str(), bytesText(most).c_str(), bytesText(used).c_str());
    }
  } while (!used_.compare_exchange_weak(used, used + bytes));
  int64_t peak = peak_.load();
  while (peak < used + bytes && !peak_.compare_exchange_weak(peak, used + bytes)) {
  }
}

}  // namespace td
