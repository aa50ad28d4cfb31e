//! Text that people wrote: what of it can be shown.

use super::say::Refusal;

/// Marks that may stand on one letter; more are a pile that covers what is above and below.
const MAX_MARKS: usize = 4;

/// The text as it may be shown: without surrounding white space, each run of white space one space.
///
/// # Errors
/// [`Refusal::Empty`], [`Refusal::TooLong`] past `max` characters, [`Refusal::BadText`] for controls,
/// direction overrides, and piles of marks.
pub fn clean(text: &str, max: usize) -> Result<String, Refusal> {
    let mut shown = String::with_capacity(text.len().min(max.saturating_mul(4)));
    let (mut chars, mut marks) = (0, 0);
    for letter in text.chars() {
        if letter.is_whitespace() {
            if !shown.is_empty() && !shown.ends_with(' ') {
                shown.push(' ');
                chars += 1;
            }
            marks = 0;
            continue;
        }
        if letter.is_control() || is_override(letter) {
            return Err(Refusal::BadText);
        }
        marks = if is_mark(letter) { marks + 1 } else { 0 };
        if marks > MAX_MARKS {
            return Err(Refusal::BadText);
        }
        shown.push(letter);
        chars += 1;
        if chars > max {
            return Err(Refusal::TooLong { max });
        }
    }
    if shown.ends_with(' ') {
        shown.pop();
    }
    if shown.is_empty() { Err(Refusal::Empty) } else { Ok(shown) }
}

/// Characters that turn the direction of what follows, or that nobody sees and that split words.
fn is_override(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Marks that combine with the letter before them.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_comes_through() {
        for (text, shown) in [
            ("  hello \t world\n", "hello world"),
            ("你好，世界", "你好，世界"),
            ("👩‍👩‍👧‍👦 ❤️", "👩‍👩‍👧‍👦 ❤️"),
            ("naïve café", "naïve café"),
            ("<b>not markup</b>", "<b>not markup</b>"),
        ] {
            assert_eq!(clean(text, 50).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        for (text, why) in [
            (" \u{3000} ", Refusal::Empty),
            ("12345678901", Refusal::TooLong { max: 10 }),
            ("abc\u{202e}def", Refusal::BadText),
            ("a\u{7}b", Refusal::BadText),
            ("z\u{300}\u{301}\u{302}\u{303}\u{304}", Refusal::BadText),
        ] {
            assert_eq!(clean(text, 10), Err(why), "{text:?}");
        }
    }
}
