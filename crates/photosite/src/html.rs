//! Pages that ask nothing of any other: one look, texts made safe.
//!
//! ```
//! use photosite::html::{Page, escaped};
//!
//! assert_eq!(escaped("<M 31> & \"friends\""), "&lt;M 31&gt; &amp; &quot;friends&quot;");
//! let mut page = Page::new("A night");
//! page.push("<h2>Pictures</h2>");
//! assert!(page.finish().ends_with("<h2>Pictures</h2></main></body></html>\n"));
//! ```

use crate::provenance::SOFTWARE;

/// What all pages look like: by light and by dark, wide and narrow.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606c;--paper:#fff;--soft:#f3f5f8;--line:#d9dee5;\
--good:#1a7f37;--usable:#8a5a00;--bad:#b42318;--mark:#1f6feb}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#a3adbb;--paper:#12151a;--soft:#1b2027;\
--line:#2c333d;--good:#6fdd8b;--usable:#e8b64c;--bad:#ff8a80;--mark:#74a9ff}}\
*{box-sizing:border-box}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}\
main{max-width:1320px;margin:0 auto;padding:16px}\
h1{font-size:1.5em;margin:.2em 0}h2{font-size:1.15em;margin:1.8em 0 .5em}p{margin:.4em 0}\
.dim{color:var(--dim)}.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%;font-size:14px}\
th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{color:var(--dim);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.good{color:var(--good)}.usable,.warning{color:var(--usable)}.wrong,.error{color:var(--bad)}\
figure{margin:0 0 18px}figcaption{font-weight:600;margin-bottom:6px}img,svg{max-width:100%;height:auto;display:block}\
details{margin:.6em 0}summary{cursor:pointer}code{font-size:13px;overflow-wrap:anywhere}\
button,input{font:inherit}:focus-visible{outline:2px solid var(--mark);outline-offset:2px}";

/// Text as it stands in a page.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Data that a script of the page reads, or a person saves: JSON that cannot end its element.
pub fn data_block(id: &str, json: &str) -> String {
    let safe = json.replace("</", "<\\/").replace("<!--", "<\\u0021--");
    format!("<script type=\"application/json\" id=\"{id}\">{safe}</script>")
}

/// A page on its way.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    style: String,
    body: String,
}

impl Page {
    /// An empty page of this title, a plain text.
    pub fn new(title: &str) -> Self {
        Self { title: escaped(title), style: STYLE.to_owned(), body: String::new() }
    }

    /// Adds rules to the look.
    pub fn style(&mut self, rules: &str) {
        self.style.push_str(rules);
    }

    /// Adds markup.
    pub fn push(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    /// The whole page.
    pub fn finish(self) -> String {
        let Self { title, style, body } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><meta name=\"generator\" content=\"{SOFTWARE}\">\
             <title>{title}</title><style>{style}</style></head><body><main><h1>{title}</h1>{body}</main>\
             </body></html>\n"
        )
    }
}

/// Whether a file begins as a page of ours does: nothing else is ever replaced by one.
pub fn is_ours(head: &[u8]) -> bool {
    let mark =
        format!("<meta name=\"generator\" content=\"{}", SOFTWARE.split(' ').next().unwrap_or(""));
    head.windows(mark.len()).take(1000).any(|w| w == mark.as_bytes())
}
