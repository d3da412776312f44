//! Path templates of `google.api.http`: `/v1/{name=shelves/*}/books/{book.id}` and so on.
//!
//! `Template = "/" Segments`, a segment being a literal, `*` for one segment, `**` for all that are left, or a variable
//! over segments. Verbs (`:cancel`) are refused: a colon is an ordinary character in our ids.

use std::ops::Range;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) variables: Vec<Variable>,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This text.
    Literal(String),
    /// Any one segment, not empty.
    One,
    /// All that are left, also none.
    Rest,
}

/// A part of the path that is bound to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Dotted path of the field.
    pub(crate) field: String,
    /// The segments it spans; an end past the last segment means the rest.
    pub(crate) span: Range<usize>,
}

/// A template that breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateError(&'static str);

impl Template {
    /// Parses a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text.strip_prefix('/').ok_or(TemplateError("a path begins with `/`"))?;
        let mut template = Self { segments: Vec::new(), variables: Vec::new() };
        if rest.is_empty() {
            return Ok(template);
        }
        loop {
            let after = match rest.strip_prefix('{') {
                Some(variable) => {
                    let (inside, after) = variable.split_once('}').ok_or(TemplateError("`{` is not closed"))?;
                    template.variable(inside)?;
                    after
                }
                None => {
                    let end = rest.find('/').unwrap_or(rest.len());
                    template.segment(&rest[..end])?;
                    &rest[end..]
                }
            };
            if after.is_empty() {
                return Ok(template);
            }
            rest = after.strip_prefix('/').ok_or(TemplateError("a variable ends its segment; verbs are not supported"))?;
        }
    }

    fn variable(&mut self, text: &str) -> Result<(), TemplateError> {
        let (field, pattern) = text.split_once('=').unwrap_or((text, "*"));
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !field.split('.').all(is_name) {
            return Err(TemplateError("a variable names a field by a dotted path"));
        }
        let start = self.segments.len();
        for segment in pattern.split('/') {
            self.segment(segment)?;
        }
        let end = if self.segments.last() == Some(&Segment::Rest) { usize::MAX } else { self.segments.len() };
        self.variables.push(Variable { field: field.to_owned(), span: start..end });
        Ok(())
    }

    fn segment(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.segments.last() == Some(&Segment::Rest) {
            return Err(TemplateError("`**` is the last segment"));
        }
        self.segments.push(match text {
            "" => return Err(TemplateError("a segment is empty")),
            "*" => Segment::One,
            "**" => Segment::Rest,
            literal if literal.contains(['*', '{', '}', ':']) => {
                return Err(TemplateError("`*`, `{`, `}` and `:` cannot be part of a segment"));
            }
            literal => Segment::Literal(literal.to_owned()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    fn variable(field: &str, span: Range<usize>) -> Variable {
        Variable { field: field.to_owned(), span }
    }

    #[test]
    fn the_whole_syntax_is_understood() {
        use Segment::{One, Rest};
        let cases = [
            ("/", vec![], vec![]),
            ("/v1/nodes", vec![literal("v1"), literal("nodes")], vec![]),
            ("/nodes/{id}", vec![literal("nodes"), One], vec![variable("id", 1..2)]),
            ("/a/{b.c=x/*/y}/d", vec![literal("a"), literal("x"), One, literal("y"), literal("d")], vec![variable("b.c", 1..4)]),
            ("/a/{path=**}", vec![literal("a"), Rest], vec![variable("path", 1..usize::MAX)]),
            ("/a/*/{z}", vec![literal("a"), One, One], vec![variable("z", 2..3)]),
        ];
        for (text, segments, variables) in cases {
            assert_eq!(Template::parse(text), Ok(Template { segments, variables }), "{text}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for text in [
            "",
            "a",
            "//",
            "/a/",
            "/{",
            "/{}",
            "/{a",
            "/{a=}",
            "/{a}b",
            "/{a}:cancel",
            "/a:cancel",
            "/**/a",
            "/{a=**}/b",
            "/{a..b}",
            "/a*",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
