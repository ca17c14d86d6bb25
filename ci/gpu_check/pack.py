"""ci/gpu --pack: gathers what the machine with the GPU has not."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

from gpu_check import context

LIMIT = 50 << 20
# The exit code where a library's sources cannot be had.
NO_SOURCES = 77

# Of ../shared/data/golden, what the kernels compute, the most telling ones first: as many as there is room for.
GOLDENS = ["llama-untied-q4_0", "llama-untied-q8_0", "llama-untied-q4_k_m", "llama-untied-q6_k", "llama-untied-q4_1", "llama-f16",
           "llama-untied-bf16", "llama-rope3-f16", "llama-linear-f16", "llama-untied-f32"]


def say(text):
    print(f"tandem: {text}", file=sys.stderr, flush=True)


def pack_folder(folder, target):
    with tarfile.open(target, "w:gz") as content:
        content.add(folder, folder.name)


def debian_source(package, folder):
    """The sources of a Debian package, by apt's own client, with lists of its own, so that nobody has to be root. Returns
    the archive, or None."""
    codename = re.search(r"^VERSION_CODENAME=(\S+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
    keys = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not codename or not keys.exists() or not shutil.which("apt-get"):
        return None
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(f"deb-src [signed-by={keys}] http://deb.debian.org/debian {codename[1]} main\n")
    apt = ["apt-get", "-q", f"-oDir::State::Lists={folder}/lists", f"-oDir::Etc::SourceList={folder}/sources.list",
           "-oDir::Etc::SourceParts=/dev/null", "-oAPT::Sandbox::User="]
    for command in [*apt, "update"], [*apt, "source", "--download-only", package]:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            say(f"{' '.join(command)}: {done.stderr.strip()}")
            return None
    return next(folder.glob(f"{package}_*.orig.tar.gz"), None)


def sources(name, installed, cache, target):
    """Puts the sources of a library into the pack: those of an installed package, else Debian's."""
    if installed.is_dir():
        pack_folder(installed, target)
        return
    kept = cache / f"{name}.tar.gz"
    if not kept.exists():
        folder = cache / name
        archive = debian_source(name, folder)
        if archive is None:
            say(f"no sources of {name}: on Debian `apt-get source {name}` fetches them; else put an archive of them at {kept}")
            sys.exit(NO_SOURCES)
        shutil.copyfile(archive, kept)
    shutil.copyfile(kept, target)


def goldens(data, target, room):
    """Copies models with their logits while there is room. Returns their names."""
    packed = []
    if not (data / "tokens.txt").exists():
        say(f"{data} is absent: parity there is with the CPU alone, on models of random weights")
        return packed
    target.mkdir()
    for name in "tokens.txt", "tolerances.tsv":
        shutil.copyfile(data / name, target / name)
    for name in GOLDENS:
        files = [data / f"{name}.gguf", data / f"{name}.npy"]
        size = sum(file.stat().st_size for file in files)
        if size > room:
            say(f"no room for the golden model {name}")
            continue
        room -= size
        for file in files:
            shutil.copyfile(file, target / file.name)
        packed.append(name)
    return packed


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def gather(root, folder, architectures, library):
    """`library` is one for these architectures that was compiled before, or None. Returns the exit code."""
    cache = root / "build/sources"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources("googletest", pathlib.Path("/usr/src/googletest"), cache, folder / "googletest.tar.gz")
    sources("benchmark", pathlib.Path("/usr/src/benchmark"), cache, folder / "benchmark.tar.gz")
    choice = ["--cuda-library", library] if library else ["--cuda-arch", architectures]
    done = subprocess.run([root / "tools/package", *choice, "-o", folder / "tandem.tar.gz"])
    if done.returncode:
        return done.returncode
    data = pathlib.Path(subprocess.run(["bash", "-c", 'printf %s "${TANDEM_TEST_DATA:-$1/../shared/data}"', "-", root],
                                       capture_output=True, text=True, check=True).stdout)
    packed = goldens(data / "golden", folder / "golden", LIMIT - size_of(folder) - (64 << 10))
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                            text=True).stdout.strip()
    (folder / "pack.json").write_text(json.dumps({"commit": commit, "architectures": architectures.split(","),
                                                  "native": context.sources_hash(root),
                                                  "goldens": packed}, indent=1) + "\n")
    print(f"{'in build/gpu-pack':36} {'MiB':>8}")
    for path in sorted(folder.iterdir()):
        size = size_of(path) if path.is_dir() else path.stat().st_size
        print(f"{path.name:36} {size / 2**20:8.2f}")
    total = size_of(folder)
    print(f"{'in all, of at most 50':36} {total / 2**20:8.2f}")
    if total > LIMIT:
        say(f"{folder} has more than {LIMIT >> 20} MiB: name fewer architectures (--cuda-arch)")
        return 1
    return 0
