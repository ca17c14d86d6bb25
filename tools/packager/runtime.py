"""Java for the distribution and for the image (tools/docker): what jlink takes of the JDK.

    PYTHONPATH=tools python3 -m packager.runtime JDK TARGET     # makes it in the new folder TARGET
"""

import collections
import pathlib
import re
import subprocess
import sys

# The modules, and of which of them only some packages (with those below them) are taken. A class of ours or of a
# library that needs something else of the JDK is found by `check`.
MODULES = {
    "java.base": [],
    "java.logging": [],  # java.util.logging, where libraries log that find no other way
    "java.management": [],  # the JVM's metrics; Netty
    "jdk.management": [],
    "java.naming": [],  # names in the certificates of TLS
    "jdk.unsupported": [],  # sun.misc.Unsafe: Netty, Guava, protobuf
    # Jinjava's expressions name classes of java.beans. A desktop weighs three times as much as all of java.base.
    "java.desktop": ["java/beans", "com/sun/beans", "sun/awt/www"],
    # Logback and Jackson name the interfaces. Nothing reads XML: the parser and XSLT stay away.
    "java.xml": ["javax/xml", "jdk/xml", "org/w3c", "org/xml"],
}

# Classes that name other modules, and why they do without them.
ABSENT = {
    r"io\.netty\.(buffer|util)\..*": ("jdk.jfr", "events for the flight recorder; Netty asks whether it is there"),
    r"com\.fasterxml\.jackson\.databind\.(deser|ser|ext)\..*": ("java.sql", "for values of java.sql, looked up by name"),
    r"io\.micrometer\.core\.instrument\.binder\.db\..*": ("java.sql", "metrics of databases"),
}

# Files of the JDK that nothing here uses: the image for other JDKs, the list from which the JDK's own archive was made.
FILES = ["/java.base/lib/jrt-fs.jar", "/java.base/lib/classlist", "/java.base/lib/jexec", "/java.base/bin/keytool",
         "/java.desktop/lib/**", "/java.desktop/conf/**"]


def output(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def entries(jdk, module):
    """By folder: (size, path) of all that a module has."""
    listing = output(jdk / "bin/jimage", "list", "--verbose", "--include", f"regex:/{module}/.*", jdk / "lib/modules")
    found = collections.defaultdict(list)
    for size, path in re.findall(r"^\s*\d+\s+(\d+)\s+\d+\s+(\S+)$", listing, re.MULTILINE):
        found[path.rpartition("/")[0]].append((int(size), path))
    return found


def left_out(jdk, module, packages):
    """jlink's pattern of what is not taken of a module: all but these packages, and the smallest file of every other one,
    since a module must have what it declares."""
    kept = [folder + "/" for folder in packages]
    for folder, files in entries(jdk, module).items():
        if not (folder + "/").startswith(tuple(kept)):
            kept.append(min(files)[1])
    return f"regex:/{re.escape(module)}/(?!{'|'.join(map(re.escape, sorted(kept)))}).*"


def link(jdk, target):
    """Makes the run-time image in the new folder `target`."""
    patterns = [left_out(jdk, module, packages) for module, packages in MODULES.items() if packages]
    release = dict(re.findall(r'^(\w+)="(.*)"$', (jdk / "release").read_text(), re.MULTILINE))
    # The launcher tells archives of different builds apart by these.
    facts = [f"{key}={release[key]}" for key in ("IMPLEMENTOR", "JAVA_RUNTIME_VERSION", "OS_ARCH") if key in release]
    output(jdk / "bin/jlink", "--add-modules", ",".join(MODULES), "--output", target, "--strip-debug", "--no-man-pages",
           "--no-header-files", "--compress", "zip-0", "--exclude-resources", ",".join(patterns), "--exclude-files",
           ",".join(FILES), "--release-info", "add:" + ":".join(facts))


if __name__ == "__main__":
    link(*map(pathlib.Path, sys.argv[1:]))
