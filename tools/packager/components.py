"""What the distribution is made of, who made it, and under which licence: for the notices and the bill of materials."""

import dataclasses
import io
import pathlib
import re
import xml.etree.ElementTree
import zipfile

# What licences are called in the descriptions of libraries, as SPDX calls them. One that is not here stops the packaging:
# somebody has to read it first.
LICENCES = {
    r"(the )?apache( software)?( licen[sc]e)?,?( version)? ?-?2\.0(-or-later)?": "Apache-2.0",
    r"(the )?mit( license)?": "MIT",
    r"(bsd|go|new bsd|revised bsd|3-clause bsd)(-3-clause| license)?": "BSD-3-Clause",
    r"the bsd license": "BSD-3-Clause",
    r"bsd-2-clause": "BSD-2-Clause",
    r"public domain, per creative commons cc0": "CC0-1.0",
    r"(eclipse public license - v |epl-)2\.0": "EPL-2.0",
    r"(gnu lesser general public license|lgpl-2\.1-only|lgpl-2\.1)": "LGPL-2.1-only",
}

# Libraries whose description names none: from where they are developed.
UNSTATED = {
    "immutables-exceptions": "Apache License 2.0",  # github.com/HubSpot/hubspot-immutables
}

# Code of others inside a library that its jar says nothing of.
EMBEDDED = {
    "jinjava": [("de.odysseus.juel", "juel-impl", "2.2.7", "Apache-2.0")],
    "tandem-cli": [("info.picocli", "picocli", None, "Apache-2.0")],  # None: the property of the root pom
}


@dataclasses.dataclass(frozen=True)
class Component:
    """`licence` is an SPDX expression. `place` is its file in the distribution, or the file that it is part of."""

    name: str
    version: str
    licence: str
    place: str
    group: str = ""
    purl: str = ""
    url: str = ""
    texts: tuple = ()  # the licence and the notices that come with it
    note: str = ""
    inside: bool = False  # of another file


class UnknownLicence(Exception):
    pass


def spdx(names, of):
    """One of several may be chosen."""
    found = []
    for name in names:
        plain = " ".join(name.lower().split())
        match = [identifier for pattern, identifier in LICENCES.items() if re.fullmatch(pattern, plain)]
        if not match:
            raise UnknownLicence(f"{of}: licence '{name}' is not known: read it, then add it to {__file__}")
        found += match
    return " OR ".join(dict.fromkeys(found))


def strip_namespace(text):
    tree = xml.etree.ElementTree.parse(io.StringIO(text))
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree.getroot()


def described(pom):
    """(licences, URL) of a Maven description, or of its parents, which lie in the same local repository."""
    licences, url = [], ""
    while pom is not None:
        project = strip_namespace(pom.read_text(encoding="utf-8"))
        licences = licences or [name.text for name in project.findall("licenses/license/name")]
        url = url or (project.findtext("url") or "")
        parent = project.find("parent")
        if parent is None or licences and url:
            break
        group, name, version = (parent.findtext(tag) for tag in ("groupId", "artifactId", "version"))
        own = project.findtext("groupId") or group
        repository = pom.parents[len(own.split(".")) + 2]
        pom = repository.joinpath(*group.split("."), name, version, f"{name}-{version}.pom")
    return licences, "" if "${" in url else url.strip()


def notices_in(jar):
    """The texts of licences and notices in a jar."""
    wanted = re.compile(r"META-INF/[^/]*(licen[sc]e|notice|copying)[^/]*", re.IGNORECASE)
    with zipfile.ZipFile(jar) as content:
        return tuple(content.read(name).decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")
                     for name in sorted(content.namelist()) if wanted.fullmatch(name))


def embedded_in(jar, artifact, place, versions):
    """Libraries whose classes lie in the jar of another one."""
    found = []
    for group, name, version, licence in EMBEDDED.get(artifact, []):
        version = version or versions[name]
        found.append(Component(name, version, licence, place, group, f"pkg:maven/{group}/{name}@{version}", inside=True))
    with zipfile.ZipFile(jar) as content:
        for pom in sorted(content.namelist()):
            match = re.fullmatch(r"META-INF/maven/([^/]+)/([^/]+)/pom\.xml", pom)
            if not match or match[2] == artifact:
                continue
            group, name = match.groups()
            version = re.search(r"^version=(\S+)", content.read(pom.replace("pom.xml", "pom.properties")).decode(), re.MULTILINE)[1]
            project = strip_namespace(content.read(pom).decode("utf-8"))
            licence = spdx([item.text for item in project.findall("licenses/license/name")], name)
            found.append(Component(name, version, licence, place, group, f"pkg:maven/{group}/{name}@{version}",
                                   project.findtext("url") or "", inside=True,
                                   note="" if licence == "Apache-2.0" else f"Its licence comes with {artifact}."))
    return found


def libraries(root, lib):
    """The jars of folder `lib`, each with what is inside: what Maven wrote of them into java/cli/target/dependencies.txt."""
    project = strip_namespace((root / "pom.xml").read_text())
    version = project.findtext("version")
    versions = {item.tag.removesuffix(".version"): item.text for item in project.find("properties")}
    found, listed = [], {"tandem-cli": ("dev.tandem", version, None)}
    for line in (root / "java/cli/target/dependencies.txt").read_text().splitlines():
        if match := re.match(r"\s+([^:\s]+):([^:]+):jar:([^:]+):[a-z]+:(\S+)", line):
            group, name, release, jar = match.groups()
            listed[name] = (group, release, pathlib.Path(jar))
    for jar in sorted(lib.glob("*.jar")):
        name = jar.stem
        if name not in listed:
            raise FileNotFoundError(f"{jar} is not in java/cli/target/dependencies.txt: run ci/build")
        group, release, source = listed[name]
        place = f"lib/{jar.name}"
        purl = f"pkg:maven/{group}/{name}@{release}?type=jar"
        if group == "dev.tandem":
            found.append(Component(name, release, "Apache-2.0", place, group, purl))
        else:
            names, url = described(source.with_suffix(".pom"))
            names = names or [UNSTATED.get(name, "")]
            found.append(Component(name, release, spdx(names, name), place, group, purl, url, notices_in(jar)))
        found += embedded_in(jar, name, place, versions)
    missing = [name for name in listed if not (lib / f"{name}.jar").exists()]
    if missing:
        raise FileNotFoundError(f"{lib} lacks {', '.join(missing)}: run ci/build")
    return found
