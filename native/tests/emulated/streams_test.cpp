// What checked views know of several streams: two operations on the same memory need an event, the host, or a word
// between them, whatever the order in which they happened to run.
#include "cuda/views.h"
#include "emulated/device_fixture.h"

namespace td::checked {
namespace {

using namespace testing;

__global__ void add(Global<float> x, float value) {
  x[threadIdx.x] += value;
}
__global__ void copy(Global<const float> x, Global<float> y) {
  y[threadIdx.x] = x[threadIdx.x];
}

class Streams : public ::testing::Test {
 protected:
  Streams()
      : device_({.checked = true}),
        first_(device_),
        second_(device_),
        x_(device_, first_, std::vector<float>(64, 1), "x"),
        y_(device_, first_, std::vector<float>(64, 2), "y"),
        host_(64) {
    EXPECT_TRUE(ok(first_.synchronize()));
    EXPECT_TRUE(ok(device_.pin(host_.data(), 256)));
    EXPECT_TRUE(ok(device_.pin(&word_, 4)));
  }

  void addTo(Stream& stream, const DeviceArray<float>& x) {
    ASSERT_TRUE(ok(launch<add>(1, 64, 0, &stream, x.span(), 1.0f)));
  }
  void copyIn(Stream& stream, bool readOnly = false) {
    ASSERT_TRUE(ok(readOnly ? launch<copy>(1, 64, 0, &stream, x_.readOnly(), y_.span())
                            : launch<copy>(1, 64, 0, &stream, x_.input(), y_.span())));
  }
  // Lets what is in a stream happen, without the host knowing.
  void letHappen(Stream& stream) {
    while (stream.peek().fault() == DeviceFault::notReady) std::this_thread::yield();
  }
  void orderBothByEvent() {
    ASSERT_TRUE(ok(first_.record(event_)));
    ASSERT_TRUE(ok(second_.wait(event_)));
  }

  Device device_;
  Stream first_, second_;
  Event event_;
  DeviceArray<float> x_, y_;
  std::vector<float> host_;
  alignas(4) int32_t word_ = 0;
};

TEST_F(Streams, NothingOrdersTwoKernels) {
  addTo(first_, x_);
  letHappen(first_);
  addTo(second_, x_);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed,
                    "add, block (0,0,0): race: read of global x[0] (of 64) by thread (0,0,0)"));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed,
                    "; kernel add (stream 0) wrote it, and nothing orders the two"));
  EXPECT_TRUE(ok(first_.synchronize()));
}

TEST_F(Streams, WriterAfterReader) {
  copyIn(first_);
  letHappen(first_);
  addTo(second_, x_);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "race: write to global x["));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "kernel copy (stream 0) read it"));
}

// A reader of another stream is not forgotten over those of this one.
TEST_F(Streams, WriterAfterReaderAndReaders) {
  copyIn(first_);
  letHappen(first_);
  ASSERT_TRUE(ok(launch<copy>(1, 64, 0, &second_, x_.input(), DeviceSpan<float>{x_.address(), 64, "x"})));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "kernel copy (stream 0) read it"));
}

TEST_F(Streams, ReadersAreNoRace) {
  DeviceArray<float> z(device_, 64, "z");
  copyIn(first_);
  letHappen(first_);
  ASSERT_TRUE(ok(launch<copy>(1, 64, 0, &second_, x_.input(), z.span())));
  EXPECT_TRUE(ok(second_.synchronize()));
  EXPECT_TRUE(ok(first_.synchronize()));
}

TEST_F(Streams, AnEventOrdersThem) {
  for (int i = 0; i < 5; ++i) {
    addTo(first_, x_);
    orderBothByEvent();
    addTo(second_, x_);
    ASSERT_TRUE(ok(second_.record(event_)));
    ASSERT_TRUE(ok(first_.wait(event_)));
  }
  EXPECT_EQ(std::vector<float>(64, 11), x_.read(first_));
}

TEST_F(Streams, AnEventBeforeItOrdersNothing) {
  orderBothByEvent();
  addTo(first_, x_);
  letHappen(first_);
  addTo(second_, x_);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "race: "));
}

TEST_F(Streams, TheHostOrdersThem) {
  addTo(first_, x_);
  ASSERT_TRUE(ok(first_.synchronize()));
  addTo(second_, x_);
  ASSERT_TRUE(ok(second_.record(event_)));
  ASSERT_TRUE(ok(event_.synchronize()));
  addTo(first_, x_);
  EXPECT_TRUE(ok(first_.synchronize()));
}

TEST_F(Streams, AWordOrdersThem) {
  addTo(first_, x_);
  ASSERT_TRUE(ok(first_.writeWord(reinterpret_cast<DeviceAddress>(&word_), 1)));
  ASSERT_TRUE(ok(second_.awaitWord(reinterpret_cast<DeviceAddress>(&word_), 1)));
  addTo(second_, x_);
  EXPECT_TRUE(ok(second_.synchronize()));
}

TEST_F(Streams, ANewStreamFollowsWhatTheHostKnows) {
  addTo(first_, x_);
  letHappen(first_);
  Stream tooEarly(device_);
  ASSERT_TRUE(ok(first_.synchronize()));
  Stream third(device_);
  addTo(third, x_);
  EXPECT_TRUE(ok(third.synchronize()));
  addTo(tooEarly, x_);
  EXPECT_TRUE(fails(tooEarly.synchronize(), DeviceFault::none, "")) << "it was asked for after the host knew";
}

// ---- Copies ---------------------------------------------------------------------------------------------------------

TEST_F(Streams, CopyToWhatAKernelReads) {
  copyIn(first_);
  letHappen(first_);
  ASSERT_TRUE(ok(second_.copyToDevice(x_.address(), host_.data(), 256)));
  EXPECT_TRUE(
      fails(second_.synchronize(), DeviceFault::copyFailed,
            "copy to device of 256 bytes: race: write to the target at byte 0; kernel copy (stream 0) read it"));
}

// Weights that are streamed into a place whose last user may not be done.
TEST_F(Streams, CopyToWhatIsReadOnly) {
  copyIn(first_, true);
  letHappen(first_);
  ASSERT_TRUE(ok(second_.copyToDevice(x_.address() + 128, host_.data(), 128)));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::copyFailed,
                    "race: write to the target at byte 0; kernel copy (stream 0) reads it"));
}

TEST_F(Streams, KernelThatReadsWhatIsCopied) {
  ASSERT_TRUE(ok(first_.copyToDevice(x_.address(), host_.data(), 256)));
  letHappen(first_);
  copyIn(second_, true);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed,
                    "copy: race: read of x at byte 0; copy to device (stream 0) wrote it"));
}

TEST_F(Streams, KernelThatWritesWhatIsCopied) {
  ASSERT_TRUE(ok(first_.copyToHost(host_.data(), x_.address(), 256)));
  letHappen(first_);
  addTo(second_, x_);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "race: write to global x["));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed,
                    "; copy to host (stream 0) reads it, and nothing orders the two"));
}

TEST_F(Streams, KernelThatWritesWhatIsReadOnly) {
  copyIn(first_, true);
  letHappen(first_);
  addTo(second_, x_);
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::kernelFailed, "; kernel copy (stream 0) reads it"));
}

TEST_F(Streams, FillOfWhatAKernelWrites) {
  addTo(first_, x_);
  letHappen(first_);
  ASSERT_TRUE(ok(second_.fill(x_.address() + 4, 0, 4)));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::copyFailed,
                    "fill of 4 bytes: race: write to the memory at byte 0; kernel add (stream 0) wrote it"));
}

TEST_F(Streams, CopiesOrderedByEventsAreLeftInPeace) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ok(first_.copyToDevice(x_.address(), host_.data(), 256)));
    orderBothByEvent();
    copyIn(second_, i % 2 == 0);
    ASSERT_TRUE(ok(second_.copyToHost(host_.data(), y_.address(), 256)));
    ASSERT_TRUE(ok(second_.record(event_)));
    ASSERT_TRUE(ok(first_.wait(event_)));
  }
  EXPECT_TRUE(ok(first_.synchronize()));
  EXPECT_TRUE(ok(second_.synchronize()));
}

// What was never written may be copied, and is no more written afterwards.
TEST_F(Streams, CopiesCarryWhatIsUninitialised) {
  DeviceArray<float> fresh(device_, 64, "fresh"), z(device_, 64, "z");
  ASSERT_TRUE(ok(first_.fill(fresh.address(), 0, 128)));
  ASSERT_TRUE(ok(first_.copyWithin(x_.address(), fresh.address(), 256)));
  ASSERT_TRUE(ok(launch<copy>(1, 32, 0, &first_, x_.input(), z.span())));
  EXPECT_TRUE(ok(first_.synchronize()));
  ASSERT_TRUE(ok(launch<copy>(1, 33, 0, &first_, x_.input(), z.span())));
  EXPECT_TRUE(fails(first_.synchronize(), DeviceFault::kernelFailed, "uninitialised: read of global x[32] (of 64)"));
}

// A stream with nothing to do does not keep what has happened in others from being forgotten.
TEST_F(Streams, WhatIsSettledIsForgotten) {
  emulated::Timeline timeline;
  const int busy = timeline.addStream(), idle = timeline.addStream();
  size_t most = 0;
  for (int i = 0; i < 20000; ++i) {
    timeline.begin(busy, timeline.asked(busy), 3, "kernel");
    timeline.ended(busy);
    if (i % 10 == 0) timeline.joinHost(timeline.of(busy));
    most = std::max(most, timeline.remembered());
  }
  EXPECT_LT(most, 2000u);
  EXPECT_GT(timeline.remembered(), 0u);
  // What was asked of a stream before the host knew of an operation is not ordered with it.
  const emulated::Clock early = timeline.asked(idle);
  const emulated::Moment last = timeline.begin(busy, timeline.asked(busy), 1, "last");
  timeline.ended(busy);
  timeline.joinHost(timeline.of(busy));
  for (int i = 0; i < 3000; ++i) {
    timeline.begin(busy, timeline.asked(busy), 1, "kernel");
    timeline.ended(busy);
    timeline.joinHost(timeline.of(busy));
  }
  EXPECT_FALSE(timeline.isForgotten(last.first));
  EXPECT_FALSE(timeline.begin(idle, early, 1, "early").follows(last.first));
  EXPECT_TRUE(timeline.begin(idle, timeline.asked(idle), 1, "late").follows(last.first));
}

// Many reads of different parts, of which all but the last are settled.
TEST_F(Streams, ClaimsDoNotPileUp) {
  DeviceArray<float> large(device_, first_, std::vector<float>(5000), "large");
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(ok(first_.copyToHost(host_.data(), large.address() + static_cast<DeviceAddress>(4 * i), 4)));
    if (i % 50 == 0) {
      ASSERT_TRUE(ok(first_.synchronize()));
    }
  }
  ASSERT_TRUE(ok(first_.copyToHost(host_.data(), large.address(), 8)));
  letHappen(first_);
  ASSERT_TRUE(ok(second_.fill(large.address(), 0, 4)));
  EXPECT_TRUE(fails(second_.synchronize(), DeviceFault::copyFailed, "copy to host (stream 0) reads it"));
}

}  // namespace
}  // namespace td::checked
