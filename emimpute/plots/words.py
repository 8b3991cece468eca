r"""The user's words in a picture: labels that may hold anything, and titles that fit their width.

A label may be a tuple, a number, a sentence of a questionnaire or an attack: a pair of ``$`` would be read as
mathematics, a newline would break a table, a sign that no font has would print as a box. So labels are escaped,
shortened where they are long, and, where the default font lacks a sign, written in another font; where none has it, as
its escape sequence (``\u4e2d`` for a Chinese sign).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import font_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["count", "each", "entitle", "font", "said", "share", "width", "wrapped"]

_LONGEST = 28  # characters of a label
_ROUNDED = 0.94  # letters are moved to whole pixels, which makes some text wider
_FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK KR", "Source Han Sans"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "IPAexGothic", "Droid Sans Fallback", "Arial Unicode MS"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "PingFang SC", "PingFang HK", "Hiragino Sans"),
    *("Apple SD Gothic Neo", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai", "Unifont"),
)


def said(label: Any, longest: int = _LONGEST) -> str:
    """A label or category on one line: nothing in it is markup, and every sign of it can be drawn."""
    return _cut(_signs(label), longest)


def each(labels: Sequence[Any], longest: int = _LONGEST) -> list[str]:
    """Several labels, which stay different from each other when they are shortened.

    Long ones lose their middle; those that would look alike then keep the part in which they differ.
    """
    signs = [_signs(label) for label in labels]
    cut = [_cut(own, longest) for own in signs]
    alike: dict[str, list[int]] = {}
    for place, text in enumerate(cut):
        alike.setdefault(text, []).append(place)
    for places in alike.values():
        texts = {tuple(signs[place]) for place in places}
        if len(texts) == 1:
            continue
        head = _shared(texts)
        tail = _shared({text[head:][::-1] for text in texts})
        for place in places:
            own = signs[place]
            differing = own[head : len(own) - tail]
            room = max(longest - len("".join(differing)) - 2, 6)
            cut[place] = _drawn([*own[:room], "…", *differing[: longest - 8], "…"])
    return cut


def font(*texts: str) -> dict[str, Any]:
    """What a Text needs besides to draw ``texts``: the fonts of the signs that the default font lacks, if any."""
    more = dict.fromkeys(name for sign in dict.fromkeys("".join(texts)) for name in _families(sign) or ())
    return {"fontfamily": [*mpl.rcParams["font.family"], *more]} if more else {}


def entitle(ax: Axes, sentence: str, *, size: float | str = "medium", margin: float = 0.0) -> None:
    """``sentence`` over ``ax``, from its left edge, broken into as many lines as its present width asks for."""
    points = font_manager.FontProperties(size=size).get_size_in_points()
    inches = ax.get_window_extent().width / ax.figure.dpi - margin
    ax.set_title(wrapped(sentence, inches, points), loc="left", fontsize=size, **font(sentence))


def wrapped(sentence: str, inches: float, points: float) -> str:
    """``sentence`` in lines of at most so many inches, in letters of that size; a longer word is broken."""
    inches *= _ROUNDED
    space = width(" ", points)
    lines: list[str] = []
    used = inches + 1
    for word in re.sub(r"(?<=\d) (?=%|\d{3}\b)", "\xa0", sentence).split(" "):
        for part in _broken(word, inches, points):
            wide = width(part, points)
            if lines and used + space + wide <= inches:
                lines[-1] += f" {part}"
                used += space + wide
            else:
                lines.append(part)
                used = wide
    return "\n".join(lines)


def width(text: str, points: float) -> float:
    """How wide a text is drawn, in inches; signs of other fonts count as wide ones."""
    (path,) = _default(tuple(mpl.rcParams["font.family"]))[:1]
    drawn = text.replace(r"\$", "$")
    return sum(_advance(path, sign) for sign in drawn) * points / 72


def count(number: int, what: str) -> str:
    """A number with its noun.

    >>> count(1, "cell"), count(12345, "cell")
    ('1 cell', '12 345 cells')
    """
    return f"{number:,} {what}".replace(",", " ") + ("" if number == 1 else "s")


def share(part: float) -> str:
    """A share in per cent; one that is neither 0 nor 1 does not look so.

    >>> share(0.5), share(0.0004), share(1.0)
    ('50 %', '< 1 %', '100 %')
    """
    if 0 < part < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < part < 1 else f"{part:.0%}".replace("%", " %")


def _signs(label: Any) -> list[str]:
    """What is drawn for each sign of a label."""
    if isinstance(label, tuple):
        text = ", ".join(str(level) for level in label)
    else:
        text = f"{label:g}" if isinstance(label, float) else str(label)
    if text != text.strip() or not text:
        text = f"'{text}'"
    return [s if s.isprintable() and (s.isascii() or _families(s) is not None) else _escaped(s) for s in text]


def _cut(signs: list[str], longest: int) -> str:
    """The signs, without their middle if they are more than ``longest`` letters."""
    lengths = [len(sign) for sign in signs]
    if sum(lengths) <= longest:
        return _drawn(signs)
    head = tail = 0
    while sum(lengths[: head + 1]) <= longest - longest // 3 - 1:
        head += 1
    while sum(lengths[len(signs) - tail - 1 :]) <= longest // 3:
        tail += 1
    return _drawn([*signs[:head], "…", *signs[len(signs) - tail :]])


def _shared(texts: set[tuple[str, ...]]) -> int:
    """With how many signs all the texts begin."""
    together = zip(*texts, strict=False)  # as far as the shortest goes
    return next((k for k, signs in enumerate(together) if len(set(signs)) > 1), min(map(len, texts)))


def _drawn(signs: Sequence[str]) -> str:
    return "".join(signs).replace("$", r"\$")


def _broken(word: str, inches: float, points: float) -> list[str]:
    """A word, or its pieces where it is wider than a line."""
    parts = [""]
    for sign in word.replace(r"\$", "\0"):
        shown = r"\$" if sign == "\0" else sign
        if parts[-1] and width(parts[-1] + shown, points) > inches:
            parts.append("")
        parts[-1] += shown
    return parts


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def _families(sign: str) -> tuple[str, ...] | None:
    """Fonts besides the default ones that ``sign`` needs: none, one, or None where no font at hand has it."""
    if sign.isascii() or _has(_default(tuple(mpl.rcParams["font.family"])), sign):
        return ()
    for name, path in _installed():
        if _has((path,), sign):
            return (name,)
    return None


@lru_cache(maxsize=16)
def _default(families: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(font_manager.findfont(font_manager.FontProperties(family=[name]))) for name in families)


@lru_cache(maxsize=1)
def _installed() -> tuple[tuple[str, str], ...]:
    """Those of the fallback fonts that this machine has, with their files."""
    paths = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    return tuple((name, paths[name]) for name in _FALLBACKS if name in paths)


@lru_cache(maxsize=4096)
def _has(paths: tuple[str, ...], sign: str) -> bool:
    return any(font_manager.get_font(path).get_char_index(ord(sign)) for path in paths)


@lru_cache(maxsize=4096)
def _advance(path: str, sign: str) -> float:
    """The width of a sign, in units of the letters' size."""
    if not _has((path,), sign):
        return 1.0
    face = font_manager.get_font(path)
    face.set_size(100, 72)
    return float(face.load_char(ord(sign)).linearHoriAdvance) / 65536 / 100
