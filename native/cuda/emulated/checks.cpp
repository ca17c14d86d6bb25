#include "cuda/emulated/checks.h"

#include "cuda/emulated/block.h"

namespace td::emulated {
namespace {

std::string elementOf(const Window& window, int64_t index) {
  return (window.shared ? "shared " : "global ") + window.name + "[" + std::to_string(index) + "] (of " +
         std::to_string(window.count) + ")";
}

const char* verb(Access access) {
  return access == Access::read ? "read of " : access == Access::write ? "write to " : "atomic access to ";
}

[[noreturn]] void fail(const char* kind, const Window& window, int64_t index, Access access,
                       const std::string& detail) {
  std::string what = std::string(kind) + ": " + verb(access) + elementOf(window, index) + " by " +
                     current->block.threadText(current->number);
  if (current->site.file != nullptr) what += ", which last synchronised at " + text(current->site);
  current->block.fail(what + detail);
}

// One cell against one access.
class Check {
 public:
  Check(const Window& window, Access access)
      : window_(window),
        access_(access),
        block_(current->block),
        now_(block_.stamp()),
        settled_(block_.launch().moment.settled) {}

  void operator()(Cell& cell, size_t offset) const {
    if (access_ == Access::read) {
      if (cell.reader == now_) return;
      needWritten(cell, offset);
      needOrder(cell.written, "wrote", offset);
      remember(cell);
      return;
    }
    if (access_ == Access::atomic) needWritten(cell, offset);
    if (!(access_ == Access::atomic && isAtomic(cell.written))) {
      needOrder(cell.written, "wrote", offset);
    }
    for (const Stamp reader : {cell.reader, cell.otherLane, cell.otherWarp}) {
      needOrder(reader, "read", offset);
    }
    for (const Claim& claim : window_.claims) {
      if (offset >= claim.from && offset < claim.to) {
        fail("race", window_, indexAt(offset), access_,
             "; " + block_.launch().moment.nameOf(claim.serial) + " reads it, and nothing orders the two");
      }
    }
    cell.written = now_ | (access_ == Access::atomic ? 1 : 0);
  }

 private:
  // What another block left in shared memory does not count.
  bool isWritten(const Cell& cell) const {
    return cell.written != 0 && (!window_.shared || serialIn(cell.written) == block_.serial());
  }

  void needWritten(const Cell& cell, size_t offset) const {
    if (!isWritten(cell)) fail("uninitialised", window_, indexAt(offset), access_, "");
  }

  void needOrder(Stamp other, const char* did, size_t offset) const {
    const uint64_t serial = serialIn(other);
    if (serial < settled_) return;  // also of nobody
    if (serial == block_.serial()) {
      if (!block_.orderedInBlock(other)) failOrder(other, did, offset);
    } else if (!window_.shared) {
      const Moment& moment = block_.launch().moment;
      const bool ordered = moment.owns(serial) ? block_.grid().isBefore(serial) : moment.follows(serial);
      if (!ordered) failOrder(other, did, offset);
    }
  }

  [[noreturn]] void failOrder(Stamp other, const char* did, size_t offset) const {
    const uint64_t serial = serialIn(other);
    const Moment& moment = block_.launch().moment;
    const bool mixed = isAtomic(other) != (access_ == Access::atomic);
    std::string who = serial == block_.serial() ? block_.threadText(threadIn(other))
                      : moment.owns(serial)     ? "block " + std::to_string(serial - moment.first) + " of the same grid"
                                                : moment.nameOf(serial);
    fail("race", window_, indexAt(offset), access_,
         "; " + who + " " + did + " it" + (isAtomic(other) ? " atomically" : "") + ", and nothing orders the two" +
             (mixed && (isAtomic(other) || access_ == Access::atomic) ? " (atomic and plain access mixed)" : ""));
  }

  void remember(Cell& cell) const {
    const Stamp last = cell.reader;
    if (serialIn(last) != serialIn(now_) || threadIn(last) / kWarp != threadIn(now_) / kWarp) {
      // A reader of another stream is kept as long as nothing orders it with this launch.
      const Stamp kept = cell.otherWarp;
      const Moment& moment = block_.launch().moment;
      const bool foreign = kept != 0 && !moment.owns(serialIn(kept)) && !moment.follows(serialIn(kept));
      if (!foreign) cell.otherWarp = last;
      cell.otherLane = 0;
    } else if (threadIn(last) != threadIn(now_)) {
      cell.otherLane = last;
    }
    cell.reader = now_;
  }

  int64_t indexAt(size_t offset) const {
    return (static_cast<int64_t>(offset) - static_cast<int64_t>(window_.shadowOffset)) /
           static_cast<int64_t>(window_.elementBytes);
  }

  const Window& window_;
  const Access access_;
  Block& block_;
  const Stamp now_;
  const uint64_t settled_;
};

}  // namespace

void failBounds(const Window& window, int64_t index, size_t bytes, Access access) {
  const Unseen unseen;
  fail("out of bounds", window, index, access,
       bytes == window.elementBytes ? "" : "; " + std::to_string(bytes) + " bytes at once");
}

void failAlignment(const Window& window, int64_t index, size_t alignment, Access access) {
  const Unseen unseen;
  fail("misaligned", window, index, access, "; it needs an address divisible by " + std::to_string(alignment));
}

void failNull(const char* what) {
  const Unseen unseen;
  current->block.fail(std::string("null: ") + what + " of an array that the launch left out, by " +
                      current->block.threadText(current->number));
}

void checkShadow(const Window& window, int64_t index, size_t offset, size_t bytes, Access access) {
  const Unseen unseen;
  const size_t from = window.shadowOffset + static_cast<size_t>(index) * window.elementBytes + offset;
  Block& block = current->block;
  if (access == Access::atomic && !window.shared) block.grid().meet(window.shadow, from, block.serial());
  const Check check(window, access);
  window.shadow->each(from, bytes, [&](Cell& cell, size_t offset) { check(cell, offset); });
}

void forgetShadow(const Window& window, int64_t index, size_t bytes) {
  const Unseen unseen;
  window.shadow->each(window.shadowOffset + static_cast<size_t>(index) * window.elementBytes, bytes,
                      [](Cell& cell, size_t) { cell.written = 0; });
}

namespace {

std::string raceText(const Moment& moment, Stamp other, const char* did, size_t byte, const std::string& what,
                     const char* does) {
  return "race: " + std::string(does) + what + " at byte " + std::to_string(byte) + "; " +
         moment.nameOf(serialIn(other)) + " " + did + " it, and nothing orders the two";
}

}  // namespace

std::string checkRead(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment, bool initialised,
                      const std::string& what) {
  std::string wrong;
  shadow.survey(offset, bytes, [&](const Cell& cell, size_t from, size_t) {
    if (!wrong.empty()) return;
    if (cell.written == 0) {
      if (initialised) wrong = "uninitialised: read of " + what + " at byte " + std::to_string(from - offset);
    } else if (!moment.follows(serialIn(cell.written))) {
      wrong = raceText(moment, cell.written, "wrote", from - offset, what, "read of ");
    }
  });
  return wrong;
}

std::string checkWrite(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment,
                       const std::string& what) {
  std::string wrong;
  shadow.survey(offset, bytes, [&](const Cell& cell, size_t from, size_t) {
    if (!wrong.empty()) return;
    if (cell.written != 0 && !moment.follows(serialIn(cell.written))) {
      wrong = raceText(moment, cell.written, "wrote", from - offset, what, "write to ");
    }
    for (const Stamp reader : {cell.reader, cell.otherLane, cell.otherWarp}) {
      if (wrong.empty() && reader != 0 && !moment.follows(serialIn(reader))) {
        wrong = raceText(moment, reader, "read", from - offset, what, "write to ");
      }
    }
  });
  const std::vector<Claim> claims = claimsAgainst(shadow, offset, bytes, moment);
  if (wrong.empty() && !claims.empty()) {
    const size_t from = std::max(offset, claims[0].from);
    wrong = raceText(moment, stampOf(claims[0].serial, 0, 0), "reads", from - offset, what, "write to ");
  }
  return wrong;
}

std::vector<Claim> claimsAgainst(const Shadow& shadow, size_t offset, size_t bytes, const Moment& moment) {
  std::vector<Claim> against;
  for (const Claim& claim : shadow.claims()) {
    if (claim.from < offset + bytes && offset < claim.to && !moment.follows(claim.serial)) against.push_back(claim);
  }
  return against;
}

}  // namespace td::emulated
