//! What people wrote about figures: sections that begin with `## <number>: <reason in short>`.

use anyhow::Context as _;

/// A section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The figure.
    pub(crate) figure: u8,
    /// The reason, for a table.
    pub(crate) short: String,
    /// The rest, in Markdown.
    pub(crate) text: String,
}

/// All sections, in their order. What comes before the first is left out.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let (figure, short) = heading.split_once(": ").with_context(|| format!("no colon in {line:?}"))?;
            let figure = figure.parse().with_context(|| format!("no number of a figure in {line:?}"))?;
            findings.push(Finding { figure, short: short.to_owned(), text: String::new() });
        } else if let Some(finding) = findings.last_mut() {
            finding.text.push_str(line);
            finding.text.push('\n');
        }
    }
    for finding in &mut findings {
        finding.text = finding.text.trim().to_owned();
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_told_apart() {
        let findings = parse("# Title\n\nintro\n\n## 5: h2 keeps buffers\n\nOne.\n\nTwo.\n## 12: why\nThree.\n").unwrap();
        let finding = |figure, short: &str, text: &str| Finding { figure, short: short.into(), text: text.into() };
        assert_eq!(findings, [finding(5, "h2 keeps buffers", "One.\n\nTwo."), finding(12, "why", "Three.")]);
        assert!(parse("## five: x").is_err());
    }
}
