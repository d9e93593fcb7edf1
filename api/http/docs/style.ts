/** The page's whole style; nothing is fetched for it. */
export const STYLE = `
:root { color-scheme: light dark; --line: #d5d9e0; --soft: #f4f6f9; --dim: #5b6472; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --line: #343b46; --soft: #1a1f27; --dim: #9aa5b4; --accent: #7ab8ff; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
a { color: var(--accent); }
code, .path { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
nav ul { columns: 14rem; list-style: none; padding: 0; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; padding-bottom: .3rem; }
h4 { margin: 1rem 0 .3rem; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; }
summary { align-items: baseline; cursor: pointer; display: flex; flex-wrap: wrap; gap: .6rem; padding: .6rem .9rem; }
summary:hover { background: var(--soft); }
details > div { border-top: 1px solid var(--line); overflow-x: auto; padding: .3rem .9rem .9rem; }
.method { font-weight: 700; min-width: 4rem; }
.dim { color: var(--dim); }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; }
`;
