"""conclave-device as a person and systemd use it: install, mount, unmount, status, check, key."""
import contextlib
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import (BIN, CONFIG, IN_USE, NOT_VOLUME, OK, PATIENCE_S, PATIENT, TOO_FEW, TOO_OLD, USAGE,
                      clean_env, is_mounted, needs_fuse, program, run)


@pytest.fixture(scope="module")
def home(module_fleet):
    """Three gateways and a device with 2 of 3."""
    module_fleet.gateways(3, ini=PATIENT)
    return module_fleet, module_fleet.device("dev-1", 2)


def pids(dev):
    """(watcher, volume process) of the mount."""
    mount = dev("status", "--offline", "--json").json["mount"]
    return mount["watcher_pid"], mount["volume_pid"]


def watch(pid):
    return os.pidfd_open(pid)


def await_end(pidfd):
    """Waits for a process that is not our child."""
    ready, _, _ = select.select([pidfd], [], [], PATIENCE_S)
    os.close(pidfd)
    assert ready, "the process did not end"


def log(dev):
    return (dev.run_dir / "watcher.log").read_text()


def events(fleet, gateway, device):
    text = fleet.conclave("audit", "read", gateway).out
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [r for r in records if r.get("kind") == "event" and r.get("device") == device]


@needs_fuse
def test_what_is_written_is_there_after_the_next_mount(dev):
    with dev.mounted() as mnt:
        (mnt / "file").write_text("first")
        os.mkdir(mnt / "dir")
        os.rename(mnt / "file", mnt / "dir" / "file")
    assert not is_mounted(dev.mount_point)
    with dev.mounted() as mnt:
        assert (mnt / "dir" / "file").read_text() == "first"
        shutil.rmtree(mnt / "dir")


@needs_fuse
def test_a_volume_in_use_is_left_alone(dev):
    with dev.mounted() as mnt:
        with open(mnt / "open", "w", encoding="ascii") as f:
            result = dev.unmount(want=IN_USE)
            assert "in use" in result.err
            f.write("still works")
        assert (mnt / "open").read_text() == "still works"


@needs_fuse
def test_a_second_mount_is_refused(dev):
    with dev.mounted():
        assert "holds this run directory" in dev.mount(want=IN_USE).err
        other = [program("conclave-device"), "mount", dev.volume, dev.mount_point, "--state",
                 dev.state, "--run", dev.fleet.dir / "run-other", "--config", dev.config]
        assert "in use by another mount" in run(other, want=IN_USE).err


@needs_fuse
def test_sigterm_unmounts(dev):
    dev.mount()
    (dev.mount_point / "late").write_text("kept")
    watcher, _ = pids(dev)
    end = watch(watcher)
    os.kill(watcher, signal.SIGTERM)
    await_end(end)
    assert not is_mounted(dev.mount_point)
    with dev.mounted() as mnt:
        assert (mnt / "late").read_text() == "kept"


@needs_fuse
def test_sigterm_keeps_what_somebody_still_writes(dev):
    dev.mount()
    watcher, volume = pids(dev)
    ends = [watch(watcher), watch(volume)]
    fd = os.open(dev.mount_point / "busy", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"kept")
    os.kill(watcher, signal.SIGTERM)
    for end in ends:
        await_end(end)
    with contextlib.suppress(OSError):  # there is nobody behind it any more
        os.close(fd)
    assert not is_mounted(dev.mount_point)
    assert "in use: detached" in log(dev)
    with dev.mounted() as mnt:
        assert (mnt / "busy").read_text() == "kept"


@needs_fuse
def test_a_dead_volume_process_leaves_no_dead_mount(dev):
    dev.mount()
    watcher, volume = pids(dev)
    end = watch(watcher)
    os.kill(volume, signal.SIGKILL)
    await_end(end)
    assert not is_mounted(dev.mount_point)
    assert "killed by SIGKILL" in log(dev)
    with dev.mounted():
        pass


@needs_fuse
def test_the_volume_outlives_its_watcher(dev):
    dev.mount()
    watcher, volume = pids(dev)
    gone, end = watch(watcher), watch(volume)
    os.kill(watcher, signal.SIGKILL)
    await_end(gone)
    (dev.mount_point / "orphan").write_text("kept")
    assert dev.unmount().code == OK
    await_end(end)
    with dev.mounted() as mnt:
        assert (mnt / "orphan").read_text() == "kept"


@needs_fuse
def test_an_older_container_is_refused_until_it_is_accepted(dev):
    older = dev.fleet.dir / "older.cv"
    shutil.copyfile(dev.volume, older)
    with dev.mounted() as mnt:
        (mnt / "newer").write_text("x")
    newest = dev.volume
    dev.volume = older
    try:
        assert "older than" in dev.mount(want=TOO_OLD).err
        assert not is_mounted(dev.mount_point)
        with dev.mounted("--accept-older") as mnt:
            assert not (mnt / "newer").exists()
        with dev.mounted():  # it is the newest now
            pass
    finally:
        dev.volume = newest
    with dev.mounted("--accept-older") as mnt:
        assert (mnt / "newer").read_text() == "x"


@needs_fuse
def test_a_mount_that_fails_is_told_to_the_gateways(home, dev):
    fleet, _ = home
    right, dev.volume = dev.volume, fleet.dir / "not-a-volume.cv"
    dev.volume.write_bytes(b"\0" * (32 << 20))
    before = len(events(fleet, "g1", dev.id))
    try:
        dev.mount(want=NOT_VOLUME)
    finally:
        dev.volume = right
    assert not is_mounted(dev.mount_point)
    told = events(fleet, "g1", dev.id)[before:]
    assert [(e["event"], e["reason"]) for e in told] == [("MOUNT_FAIL", "wrong_key")]


@needs_fuse
def test_the_commands_pipes_end_with_the_command(dev):
    # subprocess.run waits for the end of file of both pipes, which the mount must not hold
    assert dev.mount().out.startswith("ready device=dev-1 mount=")
    dev.unmount()


@needs_fuse
def test_systemd_is_told_when_the_volume_is_usable(dev):
    address = str(dev.fleet.dir / "notify")
    dev.mount_point.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(PATIENCE_S)
        process = subprocess.Popen(
            [program("conclave-device"), "mount", "-f", dev.volume, dev.mount_point, "--state",
             dev.state, "--run", dev.run_dir, "--config", dev.config],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env=clean_env({"NOTIFY_SOCKET": address}))
        assert notify.recv(100) == b"READY=1"
        assert is_mounted(dev.mount_point)
        process.send_signal(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == OK, err
    assert out.startswith(b"ready ")


@needs_fuse
def test_processes_lock_their_memory_and_leave_no_core(dev):
    with dev.mounted():
        for pid in pids(dev):
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            core = next(line for line in limits.splitlines() if "core file" in line)
            assert core.split()[4:6] == ["0", "0"]
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            locked = next(line for line in status.splitlines() if line.startswith("VmLck:"))
            assert int(locked.split()[1]) > 0


CAP_SYS_ADMIN = 1 << 21


@needs_fuse
@pytest.mark.parametrize("which, capabilities", [("watcher", CAP_SYS_ADMIN), ("volume", 0)])
def test_the_processes_of_a_mount_have_given_up_their_power(dev, which, capabilities):
    with dev.mounted():
        pid = dict(zip(("watcher", "volume"), pids(dev)))[which]
        status = dict(line.split(":", 1) for line in
                      pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        assert int(status["CapEff"], 16) == capabilities
        assert int(status["CapBnd"], 16) == capabilities
        assert status["NoNewPrivs"].strip() == "1"
        # A sanitizer's own system calls fit no filter; such a build says so and has none.
        sanitized = b"__asan_init" in (BIN / "conclave-volumed").read_bytes()
        assert status["Seccomp"].strip() == ("0" if sanitized else "2")


def test_key_is_the_same_each_time_and_never_shown(dev):
    assert dev.key() == dev.key()
    main, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [program("conclave-device"), "key", "--fd", str(terminal), "--state", dev.state, "--run",
             dev.run_dir, "--config", dev.config],
            pass_fds=[terminal], capture_output=True, env=clean_env(), timeout=PATIENCE_S,
            check=False)
        assert done.returncode == USAGE
        assert b"terminal" in done.stderr
        assert select.select([main], [], [], 0)[0] == []
    finally:
        os.close(main)
        os.close(terminal)


def test_check_releases_nothing(home, dev):
    fleet, _ = home
    answer = dev("check", "--json").json
    assert answer["would_unlock"] and answer["would_release"] == 3
    records = [json.loads(line) for line in fleet.conclave("audit", "read", "g1").out.splitlines()
               if line.startswith("{")]
    dev("check")
    after = [json.loads(line) for line in fleet.conclave("audit", "read", "g1").out.splitlines()
             if line.startswith("{")]
    new = [r["kind"] for r in after[len(records):]]
    assert "release" not in new


def test_status_shows_steps_and_gateways(dev):
    dev.key()
    status = dev("status", "--json").json
    assert status["device"] == "dev-1" and status["mount"] is None
    assert [g["state"] for g in status["gateways"]] == ["active"] * 3
    assert set(status["last_unlock"]["steps_us"]) >= {"load", "nonces", "shares", "total"}
    offline = dev("status", "--offline").out
    assert "not asked" in offline and "last unlock" in offline


def test_an_unlock_names_each_gateway_that_failed(home, dev):
    fleet, _ = home
    right = fleet.addresses()
    dev.set_addresses({"g1": right["g1"], "g2": "127.0.0.1:1"})
    try:
        result = dev("check", want=TOO_FEW)
        assert "gateway g1: would release its share" in result.out
        assert "gateway g2: no answer: connection refused (127.0.0.1:1)" in result.out
        assert "gateway g3: no answer: gateways.json has no address for it" in result.out
    finally:
        dev.set_addresses(right)


def test_install_checks_before_it_replaces(home, dev):
    fleet, _ = home
    bundle = fleet.dir / "fleet" / "devices" / dev.id / "bundle"
    assert "--force" in dev("install", bundle, "--passphrase-fd", "{g0}", give=[dev.passphrase],
                            want=CONFIG).err
    state = fleet.dir / "state-again"
    args = [program("conclave-device"), "install", bundle, "--passphrase-fd", "{g0}", "--state",
            state]
    wrong = "AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA"
    assert "wrong passphrase" in run(args, give=[wrong], want=CONFIG).err
    assert not state.exists()
    run(args, give=[dev.passphrase.lower()])
    assert (state / "mac.root").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_keys_that_others_can_read_are_refused(dev):
    path = dev.state / "mac.root"
    path.chmod(0o640)
    try:
        assert "mode 0600" in dev("check", want=CONFIG).err
    finally:
        path.chmod(0o600)


def test_configuration_mistakes_come_with_their_line(dev):
    dev.config.write_text("[device]\ncontainer = relative\n[evidence]\nspeed = 3\n")
    try:
        err = dev("check", want=CONFIG).err
        assert f"{dev.config}:2: [device] container: not an absolute path" in err
        assert f"{dev.config}:4: [evidence] speed: unknown key" in err
    finally:
        dev.config.write_text("")


@needs_fuse
def test_a_mount_with_nobody_behind_it_is_taken_away(dev):
    dev.mount()
    ends = []
    for pid in pids(dev):
        ends.append(watch(pid))
        os.kill(pid, signal.SIGKILL)
    for end in ends:
        await_end(end)
    assert is_mounted(dev.mount_point)
    assert "nobody behind it" in dev("mount", dev.volume, dev.mount_point).err
    dev.unmount()


def test_a_waiting_device_follows_gateways_that_moved(home, dev):
    fleet, _ = home
    right = fleet.addresses()
    dev.set_addresses({g: "127.0.0.1:1" for g in right})
    process = subprocess.Popen(
        [program("conclave-device"), "key", "--fd", "1", "--timeout", f"{PATIENCE_S}s", "--state",
         dev.state, "--run", dev.run_dir, "--config", dev.config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env())
    try:
        for line in process.stderr:
            if b"attempt 1:" in line:
                break
        dev.set_addresses(right)
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        dev.set_addresses(right)
    assert process.returncode == OK
    assert len(out) == 32


# the last one: the end of its own fleet ends every process that is left, others' gateways too
@needs_fuse
def test_a_gateway_that_was_away_hears_of_the_mount(fleet):
    _, _, g3 = fleet.gateways(3)
    device = fleet.device("dev-2", 2)
    g3.stop()
    device.mount()
    watcher, _ = pids(device)
    g3.start()
    # the watcher tells it within its own jitter; the relay of its word is the audit record
    deadline = os.times().elapsed + PATIENCE_S
    while os.times().elapsed < deadline:
        told = events(fleet, "g3", "dev-2")
        if told:
            break
        select.select([], [], [], 0.2)
    assert [e["event"] for e in told] == ["MOUNT_OK"]
    assert pathlib.Path(f"/proc/{watcher}").exists()
    device.unmount()
