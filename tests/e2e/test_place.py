"""Where a device is: from its sources to the gateways' verdict and what the audit keeps of it."""
import json
import os
import shutil
import signal
import subprocess

import pytest
from conftest import CONFIG, DENIED, clean_env
from ports import HeldPort

HERE = (525200067, 134049540)  # where fix() is
DEPOT = {"name": "depot", "centre": list(HERE), "radius_m": 500}
YARD = {"name": "yard", "polygon": [[525000000, 134000000], [525000000, 134100000],
                                    [525400000, 134100000], [525400000, 134000000]]}
FAR = {"name": "far", "centre": [0, 0], "radius_m": 500}


def areas(*all_areas, **more):
    return {"areas": list(all_areas), "max_accuracy_m": 100, **more}


def settings(lat, lon="13.4049540", accuracy=10):
    return f"[place]\nlatitude = {lat}\nlongitude = {lon}\naccuracy_m = {accuracy}\n"


class Placed:
    def __init__(self, fleet):
        self.fleet, self.version = fleet, 1
        self.device = fleet.device("p" + str(len(fleet.devices)), 2)

    def document(self, place):
        doc = json.loads(
            (self.fleet.path / f"devices/{self.device.id}/policy.json").read_text())
        doc.update(policy_version=self.version, place=place)
        file = self.fleet.dir / "place.json"
        file.write_text(json.dumps(doc))
        return file

    def policy(self, place):
        self.version += 1
        self.fleet.conclave("policy", "set", self.device.id, self.document(place))

    def says(self, ini):
        self.device.config.write_text(ini)

    def passes(self):
        self.device("check")

    def refused(self, reason):
        assert self.device("check", want=DENIED).out.count(f"denied: {reason}") == 2

    def audit(self):
        """The last refusal of this device at g1."""
        lines = self.fleet.conclave("audit", "read", "g1").out.splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [r for r in records
                if r["kind"] == "refusal" and r["device"] == self.device.id][-1]


@pytest.fixture(scope="module")
def dev(module_fleet):
    """One for all: an audit record is looked for right after its refusal, behind another reason."""
    module_fleet.gateways(2, "[limits]\naudit_refusals_per_minute = 1000")
    return Placed(module_fleet)


def test_a_fixed_place_is_inside_or_refused_and_the_audit_says_by_how_much(dev):
    dev.policy(areas(FAR, DEPOT))
    dev.says(settings("52.5200067"))
    dev.passes()
    dev.says(settings("52.6"))
    dev.refused("place_denied")
    record = dev.audit()
    assert (record["rule"], record["nearest"]) == ("place.areas", "depot")
    assert record["over_mm"] == 9000000  # 8.4 km: whole kilometres by default
    dev.says("")
    dev.refused("place_missing")
    assert dev.audit()["rule"] == "place.areas"


def test_accuracy_counts(dev):
    dev.policy(areas(DEPOT, YARD))
    dev.says(settings("52.5390000", accuracy=90))  # 111 m south of the yard's edge
    dev.passes()
    dev.says(settings("52.5393000", accuracy=90))  # 78 m
    dev.refused("place_denied")
    dev.says(settings("52.5200067", accuracy=101))
    dev.refused("place_accuracy")
    assert dev.audit()["over_mm"] == 1000


def test_a_file_that_gets_old_is_refused(dev):
    dev.policy(areas(DEPOT, max_age_seconds=300, sources=[{"source": "file", "receiver": "m1"}]))
    file = dev.fleet.dir / "position.json"
    dev.says(f"[place]\nfrom = file\nfile = {file}\n")
    dev.refused("place_source")  # no file
    file.write_text(json.dumps({"lat_e7": HERE[0], "lon_e7": HERE[1], "accuracy_mm": 5000,
                                "receiver": "m1"}))
    dev.passes()
    os.utime(file, (1e9, 1e9))
    dev.refused("place_stale")
    assert dev.audit()["over_s"] > 1e8
    file.write_text("{}")
    dev.refused("place_source")


def test_what_is_no_area_never_reaches_a_gateway(dev):
    for corners in ([[0, 0], [9, 9], [0, 9], [9, 0]], [[0, 0], [0, 5]],
                    [[0, 1790000000], [0, -1790000000], [9, 0]], [[900000001, 0], [0, 0], [0, 9]]):
        file = dev.document(areas({"name": "bad", "polygon": corners}))
        assert "place.areas.bad" in dev.fleet.conclave("policy", "lint", file, want=CONFIG).err


# gpsd

def nmea(body):
    total = 0
    for c in body.encode():
        total ^= c
    return f"${body}*{total:02X}\r\n"


def fix(quality):
    """20 seconds of a receiver; quality 0: it sees no satellites."""
    out = []
    for second in range(20):
        at = f"1000{second:02d}.00"
        where = "5231.20040,N,01324.29724,E"
        out += [nmea(f"GPGGA,{at},{where},{quality},08,0.9,34.0,M,46.0,M,,"),
                nmea(f"GPGSA,A,{3 if quality else 1},01,02,03,04,05,06,07,08,,,,,1.7,0.9,1.4"),
                nmea(f"GPRMC,{at},{'A' if quality else 'V'},{where},0.0,0.0,211126,,,A")]
    return "".join(out)


@pytest.fixture
def gpsd(dev):
    """Debian's gpsd with its fake receiver; returns the port."""
    started = []

    def start(quality):
        log = dev.fleet.dir / "receiver.nmea"
        log.write_text(fix(quality))
        port = HeldPort()  # gpsd takes no port 0
        process = subprocess.Popen(
            ["gpsfake", "-n", "-q", "-c", "0.05", "-P", str(port.number), str(log)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**clean_env(), "PATH": "/usr/bin:/usr/sbin:/bin:/sbin"}, start_new_session=True)
        started.append((process, port))
        return port.number

    yield start
    for process, port in started:
        os.killpg(process.pid, signal.SIGTERM)  # its gpsd is in the same group
        process.wait(20)
        port.close()


needs_gpsd = pytest.mark.skipif(
    not (shutil.which("gpsfake") and shutil.which("gpsd", path="/usr/sbin:/usr/bin")),
    reason="gpsd and gpsd-tools are not installed")


@needs_gpsd
def test_a_receiver_behind_gpsd_places_the_device(dev, gpsd):
    dev.policy(areas(DEPOT, max_age_seconds=30,
                     sources=[{"source": "gpsd", "receiver": "NMEA0183"}]))
    dev.says(f"[place]\nfrom = gpsd\ngpsd = 127.0.0.1:{gpsd(1)}\nwait = 20s\n")
    dev.passes()
    dev.policy(areas(FAR))
    dev.refused("place_denied")
    dev.policy(areas(DEPOT, sources=[{"source": "gpsd", "receiver": "u-blox"}]))
    dev.refused("place_source")
    assert "NMEA0183" in dev.audit()["claimed"]


@needs_gpsd
def test_a_receiver_without_a_fix_is_no_place(dev, gpsd):
    dev.policy(areas(DEPOT))
    dev.says(f"[place]\nfrom = gpsd\ngpsd = 127.0.0.1:{gpsd(0)}\nwait = 2s\n")
    dev.refused("place_missing")


def test_no_gpsd_is_no_place(dev):
    dev.policy(areas(DEPOT))
    port = HeldPort()
    dev.says(f"[place]\nfrom = gpsd\ngpsd = {port.address}\nwait = 300ms\n")
    result = dev.device("check", want=DENIED)
    port.close()
    assert "no position in the evidence" in result.err


def test_places_in_device_ini_that_do_not_go_together_are_told(dev):
    for text in ("from = file", "file = /x", "from = gpsd\nlatitude = 1\nlongitude = 1",
                 "gpsd = somewhere", "gpsd = 127.0.0.1:0", "from = stars", "wait = 5"):
        dev.says(f"[place]\n{text}\n")
        assert "[place]" in dev.device("check", want=CONFIG).err
    dev.says("[place]\nfrom = gpsd\ngpsd = localhost:2947\nwait = 200ms\n")
    dev.policy(areas(DEPOT))
    dev.refused("place_missing")
