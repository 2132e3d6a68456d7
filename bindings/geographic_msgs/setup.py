"""Python bindings of geographic_msgs for the pip wheels of ROS 2: generate with rosidl, compile, package.

What ament_cmake's rosidl_generate_interfaces does, with the generators called directly: the wheels hold no CMake
configuration for it and their `rosidl` command does not find its plug-ins.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = "geographic_msgs"
DEPENDENCIES = ("std_msgs", "geometry_msgs", "builtin_interfaces")
HERE = Path(__file__).resolve().parent
MESSAGES = sorted(path.stem for path in (HERE / "msg").glob("*.msg"))

IMPLEMENTATIONS = ("rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c")
"""Fast DDS takes both: one to serialise, one to describe the type on the wire."""

LIBRARIES = ("rosidl_generator_c", *IMPLEMENTATIONS)
"""Shared libraries by the name that rosidl_typesupport_c opens at run time: lib<package>__<name>.so."""

COMPILED = (*LIBRARIES, "rosidl_typesupport_c", "rosidl_generator_py")


def ros_prefix() -> Path:
    """Where the ROS wheels put lib/, include/ and share/."""
    import rosidl_cli

    return Path(rosidl_cli.__file__).resolve().parents[4]


def generate(work: Path) -> None:
    """Messages to C, C++ and Python sources in work/<generator>/<package>."""
    os.environ["AMENT_PREFIX_PATH"] = str(ros_prefix())  # the generators find their templates through the ament index
    from rosidl_adapter.msg import convert_msg_to_idl
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_generator_type_description.cli import HashTypeDescription
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    for name in MESSAGES:
        convert_msg_to_idl(HERE, PACKAGE, Path("msg", f"{name}.msg"), work / "idl" / PACKAGE / "msg")
    interfaces = [f"{work}/idl/{PACKAGE}:msg/{name}.idl" for name in MESSAGES]
    includes = [work / "idl", *(ros_prefix() / "share" / name for name in DEPENDENCIES)]
    c_sources = work / "rosidl_generator_c" / PACKAGE
    hashes = HashTypeDescription("type_description").generate_type_hashes(PACKAGE, [*interfaces], includes, c_sources)
    GenerateC("c").generate(PACKAGE, [*interfaces], includes, c_sources, type_description_files=hashes)
    generators = {
        "rosidl_typesupport_fastrtps_c": GenerateFastRTPSCTypesupport("fastrtps_c"),
        "rosidl_typesupport_introspection_c": GenerateIntrospectionCTypesupport("introspection_c"),
        "rosidl_typesupport_c": GenerateCTypesupport("c", typesupport_implementations=[*IMPLEMENTATIONS]),
        "rosidl_generator_py": GeneratePython("py", typesupport_implementations=["rosidl_typesupport_c"]),
    }
    for name, generator in generators.items():
        generator.generate(PACKAGE, [*interfaces], includes, work / name / PACKAGE)


class BuildMessages(build_ext):
    """Three shared libraries and the extension module that loads them, side by side in the package."""

    def build_extension(self, ext: Extension) -> None:
        """Generate, compile and link everything into the package folder of the build."""
        work, out = Path(self.build_temp).resolve() / "rosidl", Path(self.build_lib).resolve() / PACKAGE
        shutil.rmtree(work, ignore_errors=True)
        generate(work)
        with ThreadPoolExecutor() as pool:
            objects = dict(zip(COMPILED, pool.map(lambda name: self._compile(work, name), COMPILED)))
        linked: list[str] = []
        for name in LIBRARIES:
            file = f"lib{PACKAGE}__{name}.so"
            self._link(objects[name], out / file, linked[:1], [f"-Wl,-soname,{file}"])
            linked.append(file)
        module = out / Path(self.get_ext_filename(ext.name)).name
        self._link(objects["rosidl_typesupport_c"] + objects["rosidl_generator_py"], module, linked, [])
        (out / "__init__.py").touch()
        ignored = shutil.ignore_patterns("*.c", "*.o")
        shutil.copytree(work / "rosidl_generator_py" / PACKAGE / "msg", out / "msg", dirs_exist_ok=True, ignore=ignored)

    def _compile(self, work: Path, name: str) -> list[str]:
        """Object files of one generator's sources."""
        import numpy

        include = ros_prefix() / "include"
        folders = [
            *work.iterdir(),
            include,
            *(path for path in include.iterdir() if path.is_dir()),
            numpy.get_include(),
        ]
        objects: list[str] = []
        for suffix, standard in ((".c", "-std=gnu11"), (".cpp", "-std=c++17")):
            sources = sorted(str(path) for path in (work / name).rglob(f"*{suffix}"))
            options = [standard, "-O2", "-fPIC", "-w"]
            paths = [*map(str, folders), *self.include_dirs]
            # Absolute sources are placed by their path below the output folder: the root keeps them where they are.
            objects += self.compiler.compile(sources, output_dir="/", include_dirs=paths, extra_preargs=options)
        return objects

    def _link(self, objects: list[str], file: Path, siblings: Sequence[str], options: list[str]) -> None:
        """Link against `siblings` beside it, whether or not a symbol is used, and against the ROS wheels where used."""
        lib = ros_prefix() / "lib"
        names = [f"{dependency}__{part}" for dependency in DEPENDENCIES for part in COMPILED]
        names += ["rosidl_runtime_c", "rosidl_typesupport_c", *IMPLEMENTATIONS, "rcutils", "fastcdr"]
        found = [f"-l:lib{name}.so" for name in names if (lib / f"lib{name}.so").exists()]
        self.compiler.link_shared_object(
            objects,
            str(file),
            library_dirs=[str(file.parent), str(lib)],
            extra_postargs=[
                *options, "-s", "-Wl,--no-as-needed", *(f"-l:{name}" for name in siblings), "-Wl,--as-needed", *found,
                "-Wl,-rpath,$ORIGIN:$ORIGIN/../../..", "-Wl,--allow-shlib-undefined",
            ],
            target_lang="c++",
        )  # fmt: skip


INDEX = "share/ament_index/resource_index"
setup(
    packages=[],
    cmdclass={"build_ext": BuildMessages},
    ext_modules=[Extension(f"{PACKAGE}.{PACKAGE}_s__rosidl_typesupport_c", [])],
    data_files=[
        (f"{INDEX}/packages", [f"resource/packages/{PACKAGE}"]),
        (f"{INDEX}/rosidl_interfaces", [f"resource/rosidl_interfaces/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/msg", [f"msg/{name}.msg" for name in MESSAGES]),
    ],
)
