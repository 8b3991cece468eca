"""The finder of what a page loads from outside finds it, and nothing else; ``make docs`` has it look at the site."""

from __future__ import annotations

import pytest
from outside import loads_of_page, loads_of_site, loads_of_style


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<img src="//cdn.example/x.png">',
        "<IMG SRC=http://cdn.example/x.png>",
        '<img srcset="a.png, https://cdn.example/x.png 2x">',
        '<link rel="stylesheet" href="https://cdn.example/x.css">',
        '<link rel="preconnect" href="https://cdn.example">',
        '<iframe src="https://cdn.example/"></iframe>',
        '<object data="https://cdn.example/x.svg"></object>',
        '<svg><image href="https://cdn.example/x.png"/></svg>',
        '<p style="background: url(https://cdn.example/x.png)">',
        "<style>@import 'https://cdn.example/x.css';</style>",
        '<script type="module">import "https://cdn.example/x.js"</script>',
        '<meta http-equiv="refresh" content="0; https://cdn.example/">',
    ],
)
def test_a_load_is_found(html):
    assert len(loads_of_page(f"<html><body>{html}</body></html>")) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://doi.org/10.1002/9781119482260">read</a>',
        '<link rel="canonical" href="https://example.org/">',
        '<link rel="stylesheet" href="_static/x.css">',
        '<img src="data:image/png;base64,AAAA">',
        '<img src="_images/growth.png">',
        '<code>&lt;script src="https://cdn.example/x.js"&gt;</code>',
        '<math xmlns="http://www.w3.org/1998/Math/MathML"></math>',
    ],
)
def test_what_is_no_load_is_not(html):
    assert loads_of_page(html) == []


def test_stylesheets_are_read():
    assert loads_of_style('@font-face { src: url("https://fonts.example/a.woff2"), url(b.woff2) }') == [
        "https://fonts.example/a.woff2"
    ]


def test_a_site_is_read_file_by_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "index.html").write_text("<p>", encoding="utf-8")
    (tmp_path / "deep" / "x.css").write_text("p { background: url(//cdn.example/x.png) }", encoding="utf-8")
    (tmp_path / "deep" / "x.js").write_text('import("https://cdn.example/x.js")', encoding="utf-8")
    assert loads_of_site(tmp_path) == {
        "deep/x.css": ["//cdn.example/x.png"],
        "deep/x.js": ["https://cdn.example/x.js"],
    }


def test_no_site_is_no_success(tmp_path):
    with pytest.raises(FileNotFoundError, match="build the site first"):
        loads_of_site(tmp_path)
