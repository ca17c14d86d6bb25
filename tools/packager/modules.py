"""Which of the JDK's classes the jars need, and whether the distribution's Java has them."""

import re
import subprocess

from packager import runtime


class Missing(Exception):
    pass


def needs(jdk, lib):
    """(class, class of the JDK, its module) for every such pair that jdeps finds in the jars of a folder."""
    jars = sorted(str(jar) for jar in lib.glob("*.jar"))
    release = re.search(r'^JAVA_VERSION="(\d+)', (jdk / "release").read_text(), re.MULTILINE)[1]
    listing = subprocess.run([jdk / "bin/jdeps", "--multi-release", release, "--ignore-missing-deps", "-verbose:class", *jars],
                             capture_output=True, text=True, check=True).stdout
    pattern = r"^   (\S+)\s+-> (\S+)\s+(?:JDK internal API \()?((?:java|jdk)\.[a-z.]+)\)?$"
    return re.findall(pattern, listing, re.MULTILINE)


def problem(user, used, module):
    """What is wrong with a class that uses one of the JDK, or None."""
    if module in runtime.MODULES:
        folders = runtime.MODULES[module]
        if not folders or used.replace(".", "/").startswith(tuple(folder + "/" for folder in folders)):
            return None
        return f"{user} needs {used}: of {module} only {', '.join(folders)} is there"
    for classes, (absent, _) in runtime.ABSENT.items():
        if absent == module and re.fullmatch(classes, user):
            return None
    return f"{user} needs {used} of {module}, which is not there"


def check(jdk, lib):
    """Fails if a class needs what the distribution's Java does not have."""
    found = needs(jdk, lib)
    if not found:
        raise Missing(f"jdeps found nothing in {lib}")
    problems = sorted(filter(None, (problem(*need) for need in found)))
    if problems:
        raise Missing("MODULES or ABSENT in tools/packager/runtime.py must name it:\n  " + "\n  ".join(problems))
