"""The software bill of materials: CycloneDX 1.6, JSON."""

import hashlib
import json



def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def licence(expression):
    if expression.startswith("LicenseRef-"):
        return [{"license": {"name": expression.removeprefix("LicenseRef-")}}]
    return [{"expression": expression}]


def entry(component, folder):
    found = {"type": "framework" if component.name == "OpenJDK" else "library", "bom-ref": reference(component)}
    if component.group:
        found["group"] = component.group
    found |= {"name": component.name, "version": component.version, "licenses": licence(component.licence)}
    if component.purl:
        found["purl"] = component.purl
    if component.url.startswith("http"):
        found["externalReferences"] = [{"type": "website", "url": component.url}]
    file = folder / component.place
    if file.is_file() and not component.inside:
        found["hashes"] = [{"alg": "SHA-256", "content": sha256(file)}]
    found["properties"] = [{"name": "tandem:file", "value": component.place}]
    return found


def reference(component):
    return f"{component.place}!{component.name}" if component.inside else component.place


def write(file, components, version, folder, moment):
    """`folder` is the distribution; `moment` is that of the build (ISO 8601), the same for the same sources. Without a
    serial number, which would be another one each time."""
    tandem = f"tandem@{version}"
    whole = [one for one in components if not one.inside]
    parts = [{"ref": tandem, "dependsOn": [reference(one) for one in whole]}]
    for one in whole:
        inside = [reference(part) for part in components if part.inside and part.place == one.place]
        parts.append({"ref": reference(one), "dependsOn": inside})
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": moment,
            "tools": {"components": [{"type": "application", "name": "tools/package", "version": version}]},
            "component": {"type": "application", "bom-ref": tandem, "name": "tandem", "version": version,
                          "purl": f"pkg:generic/tandem@{version}", "licenses": licence("Apache-2.0")},
        },
        "components": [entry(one, folder) for one in components],
        "dependencies": parts,
    }
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
