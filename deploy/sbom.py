"""The bill of materials: `python deploy/sbom.py` prints CycloneDX JSON of what gracefuzz runs on.

Read from the environment that it is executed in: every distribution that gracefuzz needs, and that
those need, without the tools of its developers.
"""

from importlib.metadata import distribution

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def main() -> None:
    """Print it."""
    own, *parts = [component(name) for name in needed("gracefuzz")]
    own.type = ComponentType.APPLICATION
    bom = Bom(components=parts)
    bom.metadata.component = own
    bom.register_dependency(own, parts)
    print(JsonV1Dot6(bom).output_as_string(indent=2))


def needed(name: str) -> list[str]:
    """A distribution and all that it needs here, each once, itself first."""
    found = [canonicalize_name(name)]
    for each in found:
        for text in distribution(each).requires or ():
            requirement = Requirement(text)
            other = canonicalize_name(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and other not in found:
                found.append(other)
    return list(found)


def component(name: str) -> Component:
    """What is installed under this name."""
    version = distribution(name).version
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", name=name, version=version),
        bom_ref=f"{name}=={version}",
    )


if __name__ == "__main__":
    main()
