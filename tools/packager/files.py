"""Writing the distribution's jars and archive, so that the same contents give the same bytes."""

import gzip
import os
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile

NATIVE = re.compile(r".*\.(so|dll|dylib|jnilib)(\.\d+)*")
# The ways that libraries name the machines that this could be for.
MACHINES = {"x86_64": ("x86_64", "x86-64", "amd64"), "aarch64": ("aarch64", "aarch_64", "arm64")}


def is_foreign(name, machine):
    """Whether a jar's entry is code for other machines than Linux on this processor."""
    lower = name.lower()
    return bool(NATIVE.fullmatch(lower)) and not ("linux" in lower and any(word in lower for word in MACHINES[machine]))


def store_jar(source, target, machine):
    """Copies a jar without compression, which lets the archive compress better, and classes load quicker, and without
    code for other machines. Returns the bytes of that."""
    dropped = 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if entry.is_dir():
                continue
            if is_foreign(entry.filename, machine):
                dropped += entry.file_size
                continue
            copy = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            copy.external_attr = 0o644 << 16
            new.writestr(copy, old.read(entry))
    return dropped


def copy_distribution(source, target, machine):
    """What ci/build made, without what belongs to one place and one JDK. Returns the bytes of foreign code left out."""
    dropped = 0
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        name = file.relative_to(source)
        if name.parts[0] == "startup" or name.name in ("stamp", "stamp.new", "build-id"):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if name.suffix == ".jar":
            dropped += store_jar(file, target / name, machine)
        else:
            shutil.copyfile(file, target / name)
    return dropped


def strip(java):
    """Takes the symbols for debuggers from the JVM, a sixth of it."""
    for library in sorted(java.rglob("*.so")):
        subprocess.run(["strip", "--strip-unneeded", library], check=True)


def set_modes(folder):
    """Programs can be run by everybody, everything can be read by everybody and written by its owner."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path.parent.name == "bin" or path.name == "jspawnhelper"
            path.chmod(0o755 if runs else 0o644)


def archive(folder, target, seconds):
    """Packs a folder: names in order, nobody's, all with the same time. Returns by path about how many bytes of the archive
    each file took."""

    def anonymous(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = seconds
        return entry

    taken = {}
    part = target.with_name(target.name + ".part")
    with open(part, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as content:
            for path in [folder, *sorted(folder.rglob("*"))]:
                before = raw.tell()
                content.add(path, path.relative_to(folder.parent).as_posix(), recursive=False, filter=anonymous)
                taken[path] = raw.tell() - before
    os.replace(part, target)
    return taken


def bytes_of(path):
    if path.is_dir():
        return sum(file.lstat().st_size for file in path.rglob("*") if stat.S_ISREG(file.lstat().st_mode))
    return path.stat().st_size
