"""How the page looks: on wide and narrow screens, light and dark, and on paper. Nothing is fetched."""

from __future__ import annotations

__all__ = ["STYLE"]

# Blue and vermilion of Okabe and Ito's palette, which colour-blind people tell apart; shape tells them apart besides.
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--tint:#f3f5f7;
--seen:#0072b2;--fill:#d55e00;--warn:#9a3b00;--good:#116329}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa4af;--line:#3a424b;--paper:#14171b;--tint:#1f242a;
--seen:#56b4e9;--fill:#f0903c;--warn:#ffb077;--good:#6bd08a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:64rem;padding:1.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.3rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
p{margin:.5rem 0;max-width:46rem}
a{color:var(--seen)}
.note,.lead{color:var(--soft)}
.note{font-size:.9rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:1rem 0;padding:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.25rem 0;padding:0;
list-style:none}
.tiles li{background:var(--tint);border-radius:.5rem;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.35rem;line-height:1.3;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:.85rem}
.stop{border-left:.3rem solid var(--good);background:var(--tint);padding:.6rem .9rem;border-radius:.25rem}
.stop.bad{border-color:var(--warn)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0;min-width:0}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:min(100%,24rem)}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line);
overflow-wrap:normal}
th{color:var(--soft);font-weight:600;white-space:nowrap}
td:first-child{min-width:6rem;max-width:22rem;overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap}
.bar{display:inline-block;vertical-align:middle;width:6rem;height:.65rem;background:var(--tint);
outline:1px solid var(--line);border-radius:.15rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--seen)}
.fill .bar i,.bar.fill i{background:var(--fill)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem 1.5rem;margin:1rem 0}
.grid.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
figure{margin:0;min-width:0}
figcaption{font-size:.9rem;line-height:1.35;margin-bottom:.25rem}
figcaption b,figcaption span{display:block}
figcaption span{color:var(--soft);font-size:.85rem}
.ends{display:flex;justify-content:space-between;gap:1rem;color:var(--soft);font-size:.8rem}
.plot{display:grid;grid-template-columns:max-content 1fr;gap:0 .5rem}
.plot .side{display:flex;flex-direction:column;justify-content:space-between;color:var(--soft);font-size:.8rem;
text-align:right}
.plot .ends{grid-column:2}
svg{display:block;width:100%;overflow:visible}
svg.mask{width:8rem;height:.9rem;background:var(--tint);outline:1px solid var(--line)}
.mask path{fill:var(--fill)}
.shape{height:6rem;border-bottom:1px solid var(--line)}
.curve{height:9rem;border-bottom:1px solid var(--line);border-left:1px solid var(--line)}
.seen{fill:var(--seen);fill-opacity:.35}
.drawn{fill:none;stroke:var(--fill);stroke-width:2;vector-effect:non-scaling-stroke}
.line{fill:none;stroke:var(--seen);stroke-width:2;vector-effect:non-scaling-stroke}
.aim{fill:none;stroke:var(--fill);stroke-width:1.5;stroke-dasharray:5 4;vector-effect:non-scaling-stroke}
.key::before{content:"";display:inline-block;width:1.1rem;height:.65rem;margin-right:.4rem;vertical-align:baseline}
.key.a::before{background:var(--seen);opacity:.5}
.key.b::before{border:2px solid var(--fill)}
.key{margin-right:1.25rem}
.shares{display:grid;grid-template-columns:fit-content(45%) minmax(3rem,1fr) max-content;gap:.05rem .5rem;
font-size:.85rem;
align-items:center;font-variant-numeric:tabular-nums}
.shares .bar{width:100%;height:.45rem;display:block}
.shares .bar+.bar{margin-top:.15rem}
.problems{padding-left:1.1rem}
.problems li{margin:.5rem 0}
.tag{font-size:.75rem;font-weight:600;text-transform:uppercase;letter-spacing:.03em;color:var(--soft);
margin-right:.4rem}
.warning .tag{color:var(--warn)}
.remedy{display:block;color:var(--soft)}
.methods{background:var(--tint);border-radius:.5rem;padding:.9rem 1.1rem}
.methods p{max-width:none;margin:.6rem 0}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media(max-width:40rem){body{padding:1rem .9rem 3rem}h1{font-size:1.4rem}dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.6rem}.bar{width:3.5rem}svg.mask{width:5rem}.grid{grid-template-columns:1fr}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--tint:#f3f3f3;--seen:#0072b2;--fill:#d55e00;
--warn:#9a3b00;--good:#116329}
body{max-width:none;padding:0;font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav{display:none}.wide{overflow:visible}table{font-size:8.5pt}thead{display:table-header-group}
tr,figure,li,dd,.stop,.wide,.tiles{break-inside:avoid}.tiles{grid-template-columns:repeat(6,1fr)}
h2,h3,caption{break-after:avoid}.grid{grid-template-columns:repeat(3,1fr)}
.grid.two{grid-template-columns:1fr 1fr}}
"""
