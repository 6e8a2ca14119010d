//! Texts that no model is needed for: those without a letter.

/// The label of what is no language, as ISO 639-2 has it.
pub const NOT_LANGUAGE: &str = "zxx";

/// Whether there is something in `text`, and no letter (a character that Unicode calls alphabetic): figures,
/// punctuation, emoji.
///
/// Such a text is in no language, whatever rows a model has learned for its characters. That of most languages has a
/// letter at its beginning, where the search stops.
///
/// ```
/// use wldetect::letterless::is_letterless;
/// assert!(is_letterless("12:30 – 14:00") && is_letterless("🔋!") && is_letterless("\u{0967}\u{0968}"));
/// assert!(!is_letterless("12 km") && !is_letterless("水") && !is_letterless("") && !is_letterless(" \n"));
/// ```
pub fn is_letterless(text: &str) -> bool {
    !text.chars().any(char::is_alphabetic) && text.chars().any(|character| !character.is_whitespace())
}
