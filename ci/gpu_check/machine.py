"""What is here: GPUs, as the driver tells of them, the processor, the tools."""

import ctypes
import os
import pathlib
import platform
import shutil
import subprocess

# Numbers of the driver's API.
NO_DEVICE = 100
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76


def gpus():
    """([{name, capability, memory}], why there is none)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return [], "no NVIDIA driver is installed"
    code = driver.cuInit(0)
    if code:
        return [], "the driver sees no GPU" if code == NO_DEVICE else f"the driver cannot be used: error {code}"
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    found = []
    for i in range(count.value):
        device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(128), ctypes.c_size_t()
        driver.cuDeviceGet(ctypes.byref(device), i)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        capability = []
        for attribute in CAPABILITY_MAJOR, CAPABILITY_MINOR:
            value = ctypes.c_int()
            driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
            capability.append(value.value)
        found.append({"name": name.value.decode(), "capability": "{}.{}".format(*capability), "memory": memory.value})
    return found, "" if found else "the driver sees no GPU"


def cuda_home(root):
    """The folder of CUDA's toolkit, or None."""
    found = subprocess.run(["bash", "-c", '. "$1/ci/common.bash" && find_cuda && printf %s "$cuda"', "-", root],
                           capture_output=True, text=True)
    return pathlib.Path(found.stdout) if found.returncode == 0 else None


def run(*command):
    """The lines that a command of a few seconds prints."""
    try:
        return [line.strip() for line in subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.splitlines()]
    except (OSError, subprocess.TimeoutExpired):
        return []


def first_line(*command):
    return next(iter(run(*command)), "")


def nvcc_version(cuda):
    """The release of CUDA's compiler in this folder, or of one that is here and too old."""
    program = str(cuda / "bin/nvcc") if cuda else shutil.which("nvcc", path=f"{os.environ.get('PATH', '')}:/usr/local/cuda/bin")
    lines = run(program, "--version") if program else []
    release = next((line for line in lines if "release" in line), "none")
    return release if cuda or release == "none" else f"{release}: too old"


def facts(cuda):
    """What a report says of the machine. `cuda`: its toolkit's folder, or None."""
    processor = ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "processor": f"{processor or platform.machine()}, {len(os.sched_getaffinity(0))} threads",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"Linux {platform.release()}, {first_line('cmake', '--version')}, {first_line('c++', '--version')}",
        "driver": first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "none",
        "nvcc": nvcc_version(cuda),
    }
