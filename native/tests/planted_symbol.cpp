// A kernel source as it must not be: it instantiates a template of nobody's namespace.

template <typename T>
__attribute__((noinline)) T longest(T a, T b) {
  return a < b ? b : a;
}

namespace tandem::cpu::avx2 {

int planted(int a, int b) {
  return longest(a, b);
}

}  // namespace tandem::cpu::avx2
