//! Finds links in HTML while it passes through.

/// A tag longer than this is not looked into: it is no tag.
const LONGEST_TAG: usize = 64 * 1024;

/// Elements whose content is text, whatever it looks like.
const TEXT_ELEMENTS: [&str; 9] = [
    "script", "style", "textarea", "title", "iframe", "noembed", "noframes", "noscript", "xmp",
];

/// Rewrites links in HTML that comes in pieces of any size.
pub(super) struct LinkRewriter<F> {
    rewrite: F,
    /// What has come and not yet been passed on: the beginning of a tag, or of an end that is looked for.
    pending: Vec<u8>,
    /// Where the text ends that is passed on as it is: `-->` or `</script`.
    until: Option<String>,
}

impl<F: Fn(&str) -> Option<String>> LinkRewriter<F> {
    /// `rewrite` has another link for those that are to be changed.
    pub(super) fn new(rewrite: F) -> Self {
        Self {
            rewrite,
            pending: Vec::new(),
            until: None,
        }
    }

    /// Takes a piece, and passes on what is certain by now.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while let Some(used) = self.step(rest, out).filter(|used| *used > 0) {
            rest = rest.get(used..).unwrap_or_default();
        }
        self.pending = rest.to_vec();
    }

    /// Passes on what is left at the end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.pending);
    }

    /// How much was passed on; `None` if more has to come first.
    fn step(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        if let Some(end) = &self.until {
            let found = find_ignoring_case(rest, end.as_bytes());
            let used = match found {
                // The rest of it is passed on as text, too.
                Some(position) => position + 1,
                None => rest.len().saturating_sub(end.len() - 1),
            };
            if found.is_some() {
                self.until = None;
            }
            out.extend_from_slice(rest.get(..used)?);
            return Some(used);
        }
        let text = rest.iter().position(|byte| *byte == b'<').unwrap_or(rest.len());
        if text > 0 {
            out.extend_from_slice(rest.get(..text)?);
            return Some(text);
        }
        match rest {
            [b'<', b'!', b'-', b'-', ..] => {
                self.until = Some("-->".to_owned());
                out.extend_from_slice(b"<!--");
                Some(4)
            }
            [b'<'] | [b'<', b'!'] | [b'<', b'!', b'-'] => None,
            [b'<', next, ..] if next.is_ascii_alphabetic() => match tag_end(rest) {
                Some(end) => {
                    self.tag(rest.get(..end)?, out);
                    Some(end)
                }
                None if rest.len() > LONGEST_TAG => {
                    out.push(b'<');
                    Some(1)
                }
                None => None,
            },
            [first, ..] => {
                out.push(*first);
                Some(1)
            }
            [] => None,
        }
    }

    /// Passes on a tag with its links rewritten.
    fn tag(&mut self, tag: &[u8], out: &mut Vec<u8>) {
        let name_length = tag.iter().skip(1).take_while(|byte| is_name(**byte)).count();
        let name = lowercase(tag.get(1..=name_length).unwrap_or_default());
        if TEXT_ELEMENTS.contains(&name.as_str()) && !tag.ends_with(b"/>") {
            self.until = Some(format!("</{name}"));
        }
        let mut passed_on = 0;
        for attribute in Attributes::new(tag, 1 + name_length) {
            let value = tag.get(attribute.value.clone()).unwrap_or_default();
            let Ok(value) = str::from_utf8(value) else { continue };
            if !is_link(&name, &attribute.name) {
                continue;
            }
            let Some(link) = (self.rewrite)(value) else { continue };
            out.extend_from_slice(tag.get(passed_on..attribute.value.start).unwrap_or_default());
            let quote: &[u8] = if attribute.quoted { b"" } else { b"\"" };
            for part in [quote, link.as_bytes(), quote] {
                out.extend_from_slice(part);
            }
            passed_on = attribute.value.end;
        }
        out.extend_from_slice(tag.get(passed_on..).unwrap_or_default());
    }
}

/// The attributes of a tag that have values.
struct Attributes<'a> {
    tag: &'a [u8],
    at: usize,
}

struct Attribute {
    name: String,
    value: std::ops::Range<usize>,
    quoted: bool,
}

impl<'a> Attributes<'a> {
    fn new(tag: &'a [u8], at: usize) -> Self {
        Self { tag, at }
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) -> std::ops::Range<usize> {
        let start = self.at;
        let rest = self.tag.get(start..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| what(**byte)).count();
        start..self.at
    }
}

impl Iterator for Attributes<'_> {
    type Item = Attribute;

    fn next(&mut self) -> Option<Attribute> {
        loop {
            self.skip(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'='));
            let name = self.skip(is_name);
            if name.is_empty() {
                return None;
            }
            let name = lowercase(self.tag.get(name)?);
            self.skip(|byte| byte.is_ascii_whitespace());
            if self.tag.get(self.at) != Some(&b'=') {
                continue;
            }
            self.at += 1;
            self.skip(|byte| byte.is_ascii_whitespace());
            let (value, quoted) = match self.tag.get(self.at) {
                Some(quote @ (b'"' | b'\'')) => {
                    self.at += 1;
                    let value = self.skip(|byte| byte != *quote);
                    self.at += 1;
                    (value, true)
                }
                _ => (self.skip(|byte| !byte.is_ascii_whitespace() && byte != b'>'), false),
            };
            return Some(Attribute { name, value, quoted });
        }
    }
}

/// Where a tag ends: at the first `>` that is not in quotes.
fn tag_end(tag: &[u8]) -> Option<usize> {
    let (mut quote, mut after_equals) = (None, false);
    for (index, byte) in tag.iter().enumerate() {
        match (quote, *byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return Some(index + 1),
            (None, byte @ (b'"' | b'\'')) if after_equals => quote = Some(byte),
            (None, byte) if byte.is_ascii_whitespace() => continue,
            (None, _) => {}
        }
        after_equals = *byte == b'=';
    }
    None
}

fn is_name(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>' | b'=')
}

fn lowercase(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn find_ignoring_case(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|part| part.eq_ignore_ascii_case(wanted))
}

/// Attributes that hold one URL, by element (HTML 4 and 5).
fn is_link(element: &str, attribute: &str) -> bool {
    let attributes: &[&str] = match element {
        "a" | "area" | "base" | "link" => &["href"],
        "applet" => &["codebase"],
        "audio" | "embed" | "script" | "source" => &["src"],
        "blockquote" | "del" | "ins" | "q" => &["cite"],
        "body" => &["background"],
        "button" => &["formaction"],
        "command" => &["icon"],
        "form" => &["action"],
        "frame" | "iframe" => &["longdesc", "src"],
        "head" => &["profile"],
        "html" => &["manifest"],
        "img" => &["longdesc", "src", "usemap"],
        "input" => &["src", "usemap", "formaction"],
        "object" => &["classid", "codebase", "data", "usemap"],
        "video" => &["poster", "src"],
        _ => &[],
    };
    attributes.contains(&attribute)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewritten(html: &[u8], piece: usize) -> Vec<u8> {
        let mut rewriter = LinkRewriter::new(|link: &str| link.starts_with('/').then(|| format!("/p{link}")));
        let mut out = Vec::new();
        for piece in html.chunks(piece) {
            rewriter.push(piece, &mut out);
        }
        rewriter.finish(&mut out);
        out
    }

    #[test]
    fn links_in_attributes_and_nothing_else() {
        for (html, expected) in [
            (r#"<a href="/x">/y</a>"#, r#"<a href="/p/x">/y</a>"#),
            ("<A HREF=/x>b</A>", "<A HREF=\"/p/x\">b</A>"),
            ("<a href='/x?a&amp;b' id=c>", "<a href='/p/x?a&amp;b' id=c>"),
            ("<img alt='a > b' src = \"/i\"/>", "<img alt='a > b' src = \"/p/i\"/>"),
            (
                "<input disabled value=\"/v\" src=/s>",
                "<input disabled value=\"/v\" src=\"/p/s\">",
            ),
            ("<a href=x><a title=\"/t\">", "<a href=x><a title=\"/t\">"),
            (
                "<!-- <a href=/x> --><q cite=/c>",
                "<!-- <a href=/x> --><q cite=\"/p/c\">",
            ),
            (
                "<script src=/a>'<a href=/b>'</SCRIPT><a href=/c>",
                "<script src=\"/p/a\">'<a href=/b>'</SCRIPT><a href=\"/p/c\">",
            ),
            ("1 < 2 <a href=/x> <", "1 < 2 <a href=\"/p/x\"> <"),
            ("<!DOCTYPE html><base href=/>", "<!DOCTYPE html><base href=\"/p/\">"),
            ("<a it's href=/x>", "<a it's href=\"/p/x\">"),
            ("<a href=\"/unfinished", "<a href=\"/unfinished"),
        ] {
            for piece in [1, 3, 1000] {
                let out = String::from_utf8(rewritten(html.as_bytes(), piece)).unwrap();
                assert_eq!(out, expected, "in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_never_ends_is_not_kept() {
        let mut rewriter = LinkRewriter::new(|_: &str| None);
        let mut out = Vec::new();
        for start in ["<a x=\"", "<!-- ", "<script>"] {
            rewriter.push(start.as_bytes(), &mut out);
            for _ in 0..300 {
                rewriter.push(&[b'x'; 1000], &mut out);
                assert!(rewriter.pending.len() <= LONGEST_TAG + 1000, "{start}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn pieces_make_no_difference(html in "([<>a/=\"' !-]|<a href=/x>|<script|</script>|<!--|-->){0,40}", piece in 1usize..20) {
            prop_assert_eq!(rewritten(html.as_bytes(), piece), rewritten(html.as_bytes(), 10_000));
        }
    }
}
