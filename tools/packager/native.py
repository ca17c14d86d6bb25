"""What of others is inside the native libraries, and Java."""

import pathlib
import re
import subprocess

from packager.components import Component

GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
JDK = "GPL-2.0-only WITH Classpath-exception-2.0"
NVIDIA = "LicenseRef-NVIDIA-CUDA-Toolkit-EULA"


def release_of(jdk):
    """The JDK's own description of itself."""
    return dict(re.findall(r'^(\w+)="?(.*?)"?$', (jdk / "release").read_text(), re.MULTILINE))


def first(pattern, text, of):
    match = re.search(pattern, text)
    if not match:
        raise ValueError(f"the version of {of} cannot be told: no {pattern} in '{text[:200]}'")
    return match[1]


def compiler_version(library):
    """Of the g++ whose run-time libraries are in this library: compilers write it into every object."""
    comment = subprocess.run(["readelf", "-p", ".comment", library], capture_output=True, text=True, check=True).stdout
    return first(r"GCC: \(.*?\) (\S+)", comment, f"the compiler of {library}")


def boost_version():
    for folder in "/usr/include", "/usr/local/include":
        header = pathlib.Path(folder, "boost/version.hpp")
        if header.exists():
            return first(r'#define BOOST_LIB_VERSION "(\S+)"', header.read_text(), "Boost").replace("_", ".")
    raise FileNotFoundError("boost/version.hpp is neither in /usr/include nor in /usr/local/include")


def cuda_version(home):
    header = (home / "include/cuda_runtime_api.h").read_text()
    version = int(first(r"#define CUDART_VERSION\s+(\d+)", header, "CUDA's runtime"))
    return f"{version // 1000}.{version % 1000 // 10}"


def natives(lib, version, cuda):
    """The libraries in folder `lib`, each with what is inside. `cuda` is the toolkit's folder."""
    found = []
    for library in sorted(lib.glob("*.so")):
        place, name = f"lib/{library.name}", library.stem
        found.append(Component(name, version, "Apache-2.0", place, purl=f"pkg:generic/{name}@{version}"))
        gcc = compiler_version(library)
        found.append(Component("libstdc++ and libgcc", gcc, GCC, place, purl=f"pkg:generic/gcc@{gcc}", inside=True,
                               url="https://gcc.gnu.org", note="Licence and exception: java/legal/java.base/gcc.md."))
        if name == "libtandem_emulated":
            boost = boost_version()
            found.append(Component("Boost.Context", boost, "BSL-1.0", place, purl=f"pkg:generic/boost-context@{boost}",
                                   url="https://www.boost.org", inside=True,
                                   note="Copyright Oliver Kowalke and others."))
        if name == "libtandem_cuda":
            runtime = cuda_version(cuda)
            found.append(Component(
                "NVIDIA CUDA Runtime", runtime, NVIDIA, place, purl=f"pkg:generic/nvidia-cuda-runtime@{runtime}",
                url="https://docs.nvidia.com/cuda/eula/", inside=True,
                note="Copyright NVIDIA Corporation. libcudart_static.a is compiled in, which the End User License Agreement of\n"
                     "the CUDA Toolkit lists among what applications may be distributed with (Attachment A). That agreement\n"
                     "binds who uses it: it may not be taken out, reverse engineered, or used apart from this library."))
    return found


def java(jdk):
    """The run-time image: files of the JDK that made it."""
    facts = release_of(jdk)
    version = facts.get("JAVA_RUNTIME_VERSION", facts["JAVA_VERSION"])
    maker = facts.get("IMPLEMENTOR", "OpenJDK")
    source = facts.get("SOURCE_REPO", "https://github.com/openjdk/jdk")
    commit = facts.get("SOURCE", "").partition("git:")[2]
    return Component(
        "OpenJDK", version, JDK, "java", purl=f"pkg:generic/openjdk@{version}", url=source,
        note=f"Built by {maker}. Some modules, made by jlink; parts of java.desktop and java.xml are left out, and symbols\n"
             "for debuggers. Licence, exceptions and the notices of what is inside: java/legal. Source code:\n"
             f"{source}{f', commit {commit}' if commit else ''}.")
