//! The comments of the contract, as Markdown.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The leading comments of everything in a pool, by file and place.
#[derive(Debug)]
pub(crate) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in pool.files() {
            let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
            for location in info.location {
                if let Some(comment) = location.leading_comments {
                    comments.insert((file.name().to_owned(), location.path), paragraphs(&comment));
                }
            }
        }
        Self(comments)
    }

    /// The comment of what stands at a place; empty when there is none.
    pub(crate) fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.0.get(&(file.name().to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}

/// One line per paragraph, so that what wraps in the source does not wrap in the document.
fn paragraphs(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    });
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The first sentence without its full stop, and what follows it.
pub(crate) fn first_sentence(text: &str) -> (&str, &str) {
    let (paragraph, _) = text.split_once("\n\n").unwrap_or((text, ""));
    let ends = paragraph.match_indices(". ").map(|(at, _)| at);
    let end = ends.into_iter().find(|at| !["e.g", "i.e"].iter().any(|short| paragraph[..*at].ends_with(short)));
    let end = end.unwrap_or_else(|| paragraph.strip_suffix('.').unwrap_or(paragraph).len());
    let rest = text[end..].trim_start_matches('.').trim();
    (&text[..end], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_split_after_its_first_sentence() {
        let text = paragraphs(" Makes a thing, e.g. a\n cup. It is shown\n this once.\n\n Errors: NOT_FOUND.\n");
        assert_eq!(first_sentence(&text), ("Makes a thing, e.g. a cup", "It is shown this once.\n\nErrors: NOT_FOUND."));
        assert_eq!(first_sentence("One node."), ("One node", ""));
        assert_eq!(first_sentence("A host.\n\nMore."), ("A host", "More."));
        assert_eq!(first_sentence(""), ("", ""));
    }
}
