"""Makes the distribution from what tools/package built. Called by it."""

import argparse
import datetime
import hashlib
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from packager import bill, components, files, modules, native, notices, runtime  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def say(text):
    print(f"tandem: {text}", file=sys.stderr, flush=True)


def build_id(lib):
    """What start-up archives of this build are known by: as ci/build does it."""
    digest = hashlib.sha256()
    for file in sorted([*lib.glob("*.jar"), lib / "jvm.options"]):
        digest.update(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n".encode())
    return digest.hexdigest()[:16]


def assemble(folder, arguments, version, moment):
    """Fills the new folder with the distribution."""
    dropped = files.copy_distribution(ROOT / "build/dist", folder, platform.machine())
    say(f"jars: code for other machines left out: {dropped} bytes")
    if arguments.cuda_library:
        shutil.copyfile(arguments.cuda_library, folder / "lib/libtandem_cuda.so")
    modules.check(arguments.jdk, folder / "lib")
    say("Java: jlink")
    runtime.link(arguments.jdk, folder / "java")
    files.strip(folder / "java")
    (folder / "lib/build-id").write_text(build_id(folder / "lib") + "\n")
    parts = components.libraries(ROOT, folder / "lib")
    parts += native.natives(folder / "lib", version, arguments.cuda_home) + [native.java(arguments.jdk)]
    notices.write(folder / "THIRD-PARTY-NOTICES", parts, version, (folder / "NOTICE").read_text())
    files.set_modes(folder)
    bill.write(folder / "sbom.cdx.json", parts, version, folder, moment)
    (folder / "sbom.cdx.json").chmod(0o644)


def table(folder, target, packed):
    """What is how large; `packed` has the bytes of the archive that each file took."""
    rows = [("Java", [folder / "java"]), ("jars", sorted(folder.glob("lib/*.jar"))),
            *((library.name, [library]) for library in sorted(folder.glob("lib/*.so"))),
            ("built-in model", [folder / "models"])]
    mebi = 1 << 20
    print(f"{'part':36} {'MiB':>8} {'packed':>8}")
    for name, paths in rows:
        inside = sum(size for file, size in packed.items() if any(path in (file, *file.parents) for path in paths))
        print(f"{name:36} {sum(map(files.bytes_of, paths)) / mebi:8.2f} {inside / mebi:8.2f}")
    print(f"{target.name:36} {files.bytes_of(folder) / mebi:8.2f} {target.stat().st_size / mebi:8.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jdk", type=pathlib.Path, required=True)
    parser.add_argument("--cuda-library", type=pathlib.Path)
    parser.add_argument("--cuda-home", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    project = (ROOT / "pom.xml").read_text()
    version = components.strip_namespace(project).findtext("version")
    moment = re.search(r"<project.build.outputTimestamp>(.+?)<", project)[1]
    name = f"tandem-{version}-linux-{platform.machine()}"
    target = (arguments.output or ROOT / f"build/{name}.tar.gz").absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as work:
        folder = pathlib.Path(work, name)
        folder.mkdir()
        assemble(folder, arguments, version, moment)
        say(f"packing {target}")
        packed = files.archive(folder, target, int(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()))
        checksum = target.with_name(target.name + ".sha256")
        checksum.write_text(f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}\n")
        table(folder, target, packed)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, components.UnknownLicence, modules.Missing) as e:
        sys.exit(f"tools/package: {e}")
    except subprocess.CalledProcessError as e:
        sys.exit(f"tools/package: {e.cmd[0]} failed with {e.returncode}: {(e.stdout or '') + (e.stderr or '')}")
