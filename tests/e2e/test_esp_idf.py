"""The ESP-IDF port, as far as it can be checked without ESP-IDF: it compiles against declarations of
our own (tests/esp-idf), and its project files agree with each other. It is never linked or run."""
import csv
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = ROOT / "mcu-client/ports/esp-idf"
STUBS = ROOT / "tests/esp-idf/include"
SOURCES = sorted(p.name for p in (PORT / "main").glob("*.c"))
CROSS = "riscv64-unknown-elf-gcc"

# target: what its capabilities make of Kconfig
TARGETS = {
    "esp32": {"IDF_TARGET_ESP32": 1},
    "esp32s2": {"IDF_TARGET_ESP32S2": 1, "CONCLAVE_SEAL_KEYS": 1, "CONCLAVE_SEAL_KEY_BLOCK": 5},
    "esp32c3": {"IDF_TARGET_ESP32C3": 1, "CONCLAVE_SEAL_KEYS": 1, "CONCLAVE_SEAL_KEY_BLOCK": 5,
                "CONCLAVE_REQUIRE_SECURE": 1},
}
KCONFIG = (PORT / "main/Kconfig.projbuild").read_text()


def options():
    """{name: (type, default)} of our Kconfig."""
    found = {}
    for name, body in re.findall(r"\tconfig (\w+)\n((?:\t\t.*\n|\n)+)", KCONFIG):
        kind = re.search(r"\t\t(string|int|bool) ", body).group(1)
        default = re.search(r"\t\tdefault (.*)\n", body).group(1)
        found[name] = (kind, default)
    return found


def sdkconfig(target, extra):
    lines = [f"#define CONFIG_IDF_TARGET \"{target}\""]
    chosen = dict(extra)
    for name, (kind, default) in options().items():
        if kind != "bool" and "SEAL" not in name:
            chosen.setdefault(name, default)
    lines += [f"#define CONFIG_{name} {value}" for name, value in chosen.items()]
    return "\n".join(lines) + "\n"


def compiler():
    if shutil.which(CROSS):
        return [CROSS, "-march=rv32imc", "-mabi=ilp32", "-specs=picolibc.specs"]
    return [os.environ.get("CC", "cc")]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_compiles_against_the_declarations(tmp_path, target, source):
    (tmp_path / "sdkconfig.h").write_text(sdkconfig(target, TARGETS[target]))
    done = subprocess.run(
        [*compiler(), "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
         "-Wno-sign-conversion", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror",
         "-Wno-error=missing-prototypes" if source == "main.c" else "-Werror",
         f"-I{tmp_path}", f"-I{STUBS}", f"-I{ROOT}", f"-I{ROOT}/mcu-client", f"-I{PORT}/main",
         '-DCONCLAVE_VERSION="0"', "-DCV_EVIDENCE_MAX=2048", "-DCV_SHARE_SET_MAX=4096",
         "-DCV_DIGESTS_MAX=4", str(PORT / "main" / source)],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_compile_check_can_fail(tmp_path):
    (tmp_path / "sdkconfig.h").write_text(sdkconfig("esp32c3", TARGETS["esp32c3"]))
    wrong = tmp_path / "seal.c"
    text = (PORT / "main/seal.c").read_text()
    assert "esp_hmac_calculate((hmac_key_id_t)" in text
    wrong.write_text(text.replace("esp_hmac_calculate((hmac_key_id_t)", "esp_hmac_compute("))
    done = subprocess.run([*compiler(), "-std=gnu11", "-fsyntax-only", "-Werror", "-Wall",
                           f"-I{tmp_path}", f"-I{STUBS}", f"-I{ROOT}", f"-I{PORT}/main", str(wrong)],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "esp_hmac_compute" in done.stderr


def test_every_source_is_in_the_component():
    text = (PORT / "main/CMakeLists.txt").read_text()
    assert sorted(re.search(r"SRCS ([^\n]*)", text).group(1).split()) == SOURCES


def core_sources():
    """What the core's component compiles."""
    text = (PORT / "components/conclave/CMakeLists.txt").read_text()
    up = re.search(r'CMAKE_CURRENT_LIST_DIR\}/([./]+)"', text).group(1)
    assert (PORT / "components/conclave" / up).resolve() == ROOT
    found = []
    for pattern in re.findall(r'"\$\{ROOT\}/([^"]*\.c)"', text):
        files = list(ROOT.glob(pattern))
        assert files, pattern
        found += files
    return found


def test_every_function_of_a_port_is_there_once():
    declared = re.findall(r"\b(port_\w+)\(", (ROOT / "mcu-client/port.h").read_text())
    sources = [*core_sources(), *(PORT / "main").glob("*.c")]
    defined = [name for path in sources
               for name in re.findall(r"^\w[^=;\n]*\b(port_\w+)\([^;{]*\)\n\{", path.read_text(), re.M)]
    assert len(declared) > 10
    assert sorted(defined) == sorted(declared)


def test_every_option_in_the_code_is_in_kconfig_and_the_other_way_round():
    used = set()
    for path in (PORT / "main").glob("*.[ch]"):
        used |= set(re.findall(r"CONFIG_(CONCLAVE_\w+)", path.read_text()))
    assert used == set(options())


def test_release_names_only_options_that_exist_and_locks_the_board():
    text = (PORT / "sdkconfig.release").read_text()
    for name in re.findall(r"^CONFIG_(CONCLAVE_\w+)=", text, re.M):
        assert name in options()
    for line in ("CONFIG_SECURE_BOOT_V2_ENABLED=y", "CONFIG_SECURE_FLASH_ENCRYPTION_MODE_RELEASE=y",
                 "CONFIG_SECURE_DISABLE_ROM_DL_MODE=y", "CONFIG_CONCLAVE_REQUIRE_SECURE=y"):
        assert line in text
    assert "SECURE_BOOT" not in (PORT / "sdkconfig.defaults").read_text()


def test_the_partitions_fit_and_do_not_overlap():
    defaults = (PORT / "sdkconfig.defaults").read_text()
    table = int(re.search(r"CONFIG_PARTITION_TABLE_OFFSET=(0x\w+)", defaults).group(1), 16)
    end = table + 0x1000
    rows = [[c.strip() for c in row] for row in csv.reader((PORT / "partitions.csv").open())
            if row and not row[0].startswith("#")]
    for name, kind, _, offset, size, *_ in rows:
        offset, size = int(offset, 16), int(size, 16)
        assert offset >= end, name
        assert offset % (0x10000 if kind == "app" else 0x1000) == 0, name
        end = offset + size
    assert end <= 4 << 20
    sizes = {row[0]: int(row[4], 16) for row in rows}
    bank = int(re.search(r"BANK_BYTES (0x\w+)u", (PORT / "main/partition.c").read_text()).group(1), 16)
    assert sizes["conclave"] == 2 * bank


def test_names_of_values_fit_nvs():
    text = (PORT / "main/values.c").read_text()
    names = re.findall(r'"([a-z./-]+)"', text[text.index("names[]"):text.index("};")])
    assert len(names) >= 9
    for name in [*names, "boot-counter", "counter"]:
        assert len(name) <= 15, name


def test_says_that_it_was_never_run():
    for path in (PORT / "main").glob("*.h"):
        assert re.search(r"never\s+\*?\s*linked or run", path.read_text()), path.name
