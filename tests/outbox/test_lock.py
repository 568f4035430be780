"""At most one process holds the lock of a file, and the lock ends with the process."""

import os
import stat
from pathlib import Path

import pytest

from cutmeshort import ApiException
from cutmeshort.outbox import Outbox
from cutmeshort.outbox import lock as module
from cutmeshort.outbox.lock import DeliveryLock, is_locked

from ..support.forking import forked_child, forks
from ..support.platforms import not_on_windows


def test_one_object_holds_the_lock(path: Path) -> None:
    """While one object holds the lock, no other one gets it; afterwards it does."""
    first, second = DeliveryLock(str(path)), DeliveryLock(str(path))
    assert not is_locked(str(path))
    assert first.acquire()
    assert not second.acquire()
    assert is_locked(str(path))
    first.release()
    first.release()
    assert not is_locked(str(path))
    assert second.acquire()
    second.release()


@not_on_windows("it has no modes and few symbolic links")
def test_the_lock_file(path: Path, tmp_path: Path) -> None:
    """Only its owner can use the lock file, which is the same for a symbolic link to the file."""
    path.touch()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    lock = DeliveryLock(str(link))
    assert lock.acquire()
    file = Path(f"{path}.lock")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert is_locked(str(path))
    lock.release()


def test_asking_does_not_create_the_file(path: Path) -> None:
    """`is_locked` creates no file."""
    assert not is_locked(str(path))
    assert not Path(f"{path}.lock").exists()


@pytest.mark.parametrize("replace", [True, False])
def test_a_lock_file_that_is_removed_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    """If another process removes the file before it is locked, the lock is not acquired."""
    lock = DeliveryLock(str(path))
    file = Path(lock.path)
    real = module._lock

    def remove_first(descriptor: int, *, exclusive: bool) -> bool:
        file.unlink()
        if replace:
            file.touch()
        return real(descriptor, exclusive=exclusive)

    monkeypatch.setattr(module, "_lock", remove_first)
    assert not lock.acquire()
    monkeypatch.undo()
    assert lock.acquire()
    lock.release()


@not_on_windows("links need a permission")
def test_a_lock_file_that_can_not_be_found_is_not_held(path: Path) -> None:
    """A lock is not held if its file was removed, or if a link that leads to itself replaced it."""
    lock = DeliveryLock(str(path))
    assert not lock.is_held()
    assert lock.acquire()
    assert lock.is_held()
    file = Path(lock.path)
    file.unlink()
    assert not lock.is_held()
    file.symlink_to(file)
    assert not lock.is_held()
    lock.release()


@forks
def test_a_forked_child_does_not_hold_the_lock(path: Path) -> None:
    """While a child runs that was forked meanwhile, the parent can release the lock."""
    lock = DeliveryLock(str(path))
    assert lock.acquire()
    with forked_child():
        assert is_locked(str(path))
        lock.release()
        assert not is_locked(str(path))


@forks
def test_a_lock_ends_with_its_process(path: Path) -> None:
    """When a process that holds the lock is killed, another one gets the lock."""
    lock = DeliveryLock(str(path))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        lock.acquire()
        os.write(write, b"x")
        os.read(os.pipe()[0], 1)  # until it is killed
    os.read(read, 1)
    assert not lock.acquire()
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert lock.acquire()
    lock.release()
    os.close(read)
    os.close(write)


def test_a_lock_file_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    """The status is an error that names the lock file, not the outbox file."""
    with Outbox(tmp_path / "cms.db") as outbox:
        Path(f"{outbox.storage.path}.lock").mkdir()
        with pytest.raises(ApiException, match="The lock file of the outbox can't be used"):
            outbox.status()
