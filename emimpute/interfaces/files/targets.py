"""Where a result may be written, and how: beside its place first, so that no file is ever half written."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from emimpute.interfaces.files.formats import TableError

__all__ = ["check_target", "replacing"]


def check_target(path: Path, source: Path, *, force: bool) -> None:
    """Raise TableError if ``path`` cannot or must not be written; ``source`` is the file the result comes from.

    Without ``force`` nothing that exists is written over. The same file is known by any name: link or other spelling.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise TableError(f"{str(path)!r} is a folder: name a file")
    if not target.parent.is_dir():
        raise TableError(f"there is no folder {str(target.parent)!r} to write {path.name!r} into: make it first")
    if not force and target.exists() and source.exists() and target.samefile(source):
        raise TableError(f"{str(path)!r} is the input itself: choose another output, or say --force to write over it")
    if not force and target.exists():
        raise TableError(_exists(path))
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise TableError(f"no permission to write {str(path)!r}")


def _exists(path: Path) -> str:
    return f"{str(path)!r} exists already: choose another name, or say --force to write over it"


@contextlib.contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a draft beside ``path``, with its ending, to write to; it takes ``path``'s place when the block ends well.

    Whoever looks at ``path`` sees the old file or the new one, whole, also after a power cut; a link stays a link, and
    a file that is replaced leaves its permissions to the new one. If the block raises, the draft is removed.
    """
    target = Path(os.path.realpath(path))
    # A draft's name must not grow beyond what the file system allows, and it keeps the ending that chooses the format.
    draft = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}{target.suffix.lower()}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield draft
        _to_disk(draft, os.O_RDWR)
        _put(draft, target, force=force)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # the new name itself; some systems cannot open a folder
        _to_disk(target.parent, os.O_RDONLY)


def _put(draft: Path, target: Path, *, force: bool) -> None:
    if target.exists():
        if not force:  # it came while we worked
            raise TableError(_exists(target))
        _same_permissions(target, draft)
    draft.replace(target)


def _to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same_permissions(old: Path, new: Path) -> None:
    owner = old.stat()
    with contextlib.suppress(OSError, AttributeError):  # only root may give files away, and Windows knows no owners
        os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copymode(old, new)
