"""While a volume is mounted: locked again when its device may not have it any more, and its age told."""
import contextlib
import os
import select
import shutil
import signal
import subprocess

import pytest
from conftest import DENIED, OK, PATIENCE_S, TOO_FEW, TOO_OLD, is_mounted, needs_fuse

pytestmark = needs_fuse


def watcher_log(dev):
    return (dev.run_dir / "watcher.log").read_text()


def end_of_mount(dev):
    """Descriptors that become readable when the watcher and the volume process end."""
    mount = dev("status", "--offline", "--json").json["mount"]
    return [os.pidfd_open(mount["watcher_pid"]), os.pidfd_open(mount["volume_pid"])]


def await_ends(ends):
    for end in ends:
        ready, _, _ = select.select([end], [], [], PATIENCE_S)
        os.close(end)
        assert ready, "the mount did not end"


def await_line(dev, text, count=1):
    """Reads the watcher's log until `text` stands in it `count` times; bounded by the poller."""
    log = dev.run_dir / "watcher.log"
    poller = select.poll()
    for _ in range(PATIENCE_S * 10):
        if log.read_text().count(text) >= count:
            return
        poller.poll(100)
    raise AssertionError(f"{text!r} not {count} times in:\n{log.read_text()}")


def device(fleet, mount_ini, *options):
    dev = fleet.device("d1", 2, *options)
    dev.config.write_text(f"[mount]\nstatus_interval = 1s\n{mount_ini}")
    return dev


@pytest.fixture
def three(fleet):
    fleet.gateways(3)
    return fleet


def test_a_revocation_locks_a_mounted_volume_once_n_minus_k_plus_1_hold_it(three):
    dev = device(three, "")
    dev.mount()
    ends = end_of_mount(dev)
    fd = os.open(dev.mount_point / "busy", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"kept")
    g1, g2, g3 = three.all_gateways.values()
    g2.stop()
    g3.stop()
    three.conclave("device", "revoke", "d1", want=TOO_FEW)
    # one gateway of two that are needed: heard, several times, and not obeyed
    await_line(dev, "gateway g1: this device is revoked", count=3)
    assert is_mounted(dev.mount_point)
    os.write(fd, b" on")
    g2.start()
    dev.set_addresses(three.addresses())
    three.conclave("device", "revoke", "d1", want=None)
    await_ends(ends)
    assert not is_mounted(dev.mount_point)
    with pytest.raises(OSError):
        os.pread(fd, 4, 0)
    with contextlib.suppress(OSError):
        os.close(fd)
    assert "locked: revoked" in watcher_log(dev)
    g3.start()
    dev.set_addresses(three.addresses())
    dev.mount(want=DENIED, timeout="3s")


def test_a_lease_that_nobody_renews_ends_the_mount_where_that_is_asked_for(three):
    dev = device(three, "relock = lease\n", "--lease", "4")
    dev.mount()
    ends = end_of_mount(dev)
    (dev.mount_point / "file").write_text("kept")
    gateways = list(three.all_gateways.values())
    for g in gateways:
        g.stop()
    await_ends(ends)
    assert not is_mounted(dev.mount_point)
    assert "locked: the lease has ended" in watcher_log(dev)
    for g in gateways:
        g.start()
    dev.set_addresses(three.addresses())
    with dev.mounted() as mnt:
        assert (mnt / "file").read_text() == "kept"


def test_a_lease_is_renewed_while_k_gateways_answer(three):
    dev = device(three, "relock = lease\n", "--lease", "2")
    dev.mount()
    ends = end_of_mount(dev)
    three.all_gateways["g3"].stop()
    # longer than the lease, by the gateway's own clock
    before = int(dev("status", "--offline", "--json").json["mount"]["mounted_s"])
    poller = select.poll()
    while int(dev("status", "--offline", "--json").json["mount"]["mounted_s"]) < before + 5:
        poller.poll(100)
    assert is_mounted(dev.mount_point)
    for end in ends:
        os.close(end)
    dev.unmount()


def test_relock_never_keeps_the_mount(three):
    dev = device(three, "relock = never\n")
    dev.mount()
    three.conclave("device", "revoke", "d1")
    assert is_mounted(dev.mount_point)
    (dev.mount_point / "file").write_text("still here")
    dev.unmount(want=OK)


def older_copy_is_refused(dev, older):
    shutil.copyfile(older, dev.volume)
    result = dev.mount(want=TOO_OLD)
    assert "older" in result.err


def test_what_was_written_since_the_mount_cannot_be_set_back(three):
    dev = device(three, "")
    older = three.dir / "older.cv"
    with dev.mounted() as mnt:
        shutil.copyfile(dev.volume, older)
        (mnt / "file").write_text("new")
    older_copy_is_refused(dev, older)


def test_a_mount_that_is_killed_has_told_its_age_before(three):
    dev = device(three, "[device]\nlog_level = debug\n")
    dev.mount()
    ends = end_of_mount(dev)
    older = three.dir / "older.cv"
    shutil.copyfile(dev.volume, older)
    watcher, volume = (dev("status", "--offline", "--json").json["mount"][k] for k in ("watcher_pid", "volume_pid"))
    for i in range(4000):  # until half of the log is full: a checkpoint
        (dev.mount_point / f"file{i}").touch()
    for gateway in ("g1", "g2", "g3"):
        await_line(dev, f"gateway {gateway}: knows of generation")
    for pid in (watcher, volume):
        os.kill(pid, signal.SIGKILL)
    await_ends(ends)
    subprocess.run(["umount", "-l", dev.mount_point], check=True)
    older_copy_is_refused(dev, older)
