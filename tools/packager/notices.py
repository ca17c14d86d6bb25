"""THIRD-PARTY-NOTICES: what of others is in the distribution, with the texts that have to come along."""

import pathlib
import re

from packager import native

LICENCES = pathlib.Path(__file__).parent / "licences"
LINE = "-" * 100


def texts_in_notice(notice):
    """By jar: the texts that the project's own NOTICE has of libraries whose jars have none."""
    found = {}
    for match in re.finditer(r"^  (\S.*?): (?:\S+), with this licence:\n((?:    .*\n|\n)+)", notice, re.MULTILINE):
        for jar in match[1].split(", "):
            found[jar] = re.sub(r"^    ", "", match[2], flags=re.MULTILINE).strip("\n")
    return found


def is_apache(text):
    return "Apache License" in text and "TERMS AND CONDITIONS FOR USE" in text.upper()


def texts_of(component, own):
    """The texts for a component of somebody else."""
    if component.licence in (native.JDK, native.GCC, native.NVIDIA):
        return []  # the note says where
    texts = list(component.texts)
    if not texts and component.place.removeprefix("lib/") in own:
        texts = [own[component.place.removeprefix("lib/")]]
    standard = LICENCES / f"{component.licence.partition(' OR ')[0]}.txt"
    if standard.exists():
        texts.append(f"{standard.stem}: see the end of this file.")
    elif "Apache-2.0" in component.licence:
        texts = ["Apache-2.0: see the file LICENSE."] + [text for text in texts if not is_apache(text)]
    elif not texts and not component.inside:
        raise FileNotFoundError(f"{component.name}: its jar has no text of its licence ({component.licence}), nor has NOTICE, "
                                f"nor is there {standard}")
    return texts


def third_party(components):
    return [one for one in components if one.group != "dev.tandem" and not one.purl.startswith("pkg:generic/libtandem")]


def write(file, components, version, notice):
    """`notice` is the text of the project's own NOTICE."""
    own = texts_in_notice(notice)
    others = third_party(components)
    lines = [f"What is from others in Tandem {version}", "", "Tandem itself: the Apache License 2.0, see LICENSE. Jars are stored "
             "here without compression, and else as their", "makers made them. Where a licence may be chosen (OR), the "
             "first is.", ""]
    width = max(len(one.place) for one in others)
    lines += [f"{one.place:{width}}  {one.name} {one.version}: {one.licence}" for one in others]
    sections = {}  # what has the same maker, licence and texts is one section
    for one in others:
        sections.setdefault((one.group, one.licence, one.url, one.note, tuple(texts_of(one, own))), []).append(one)
    for (group, licence, url, note, texts), parts in sections.items():
        names = dict.fromkeys(f"{one.name} {one.version}" for one in parts)
        places = dict.fromkeys(one.place for one in parts)
        lines += ["", LINE, *names, "", f"In: {', '.join(places)}", f"Licence: {licence}"]
        lines += [url] if url else []
        lines += ["", note] if note else []
        for text in texts:
            lines += ["", text]
    used = {one.licence.partition(" OR ")[0] for one in others}
    for standard in sorted(LICENCES.glob("*.txt")):
        if standard.stem in used:
            lines += ["", LINE, standard.stem, "", standard.read_text().strip("\n")]
    file.write_text("\n".join(lines) + "\n")
