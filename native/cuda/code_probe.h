// Whether this library has code for a GPU.
#pragma once

#include <cuda_runtime_api.h>

// Asks for a kernel on the device that the thread has chosen; what it returns then, every launch would.
cudaError_t findCode();
