# The kernels for GPUs, for the emulated device and for CUDA. A new one is one line here.
set(TANDEM_GPU_KERNELS
  adjust.cu
  attention.cu
  elementwise.cu
  encode.cu
  matmul.cu
  matvec.cu
  rms_norm.cu
  rope.cu
  rows.cu
  select.cu
  store_kv.cu
  table.cu)
list(TRANSFORM TANDEM_GPU_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
