//! Blocked words, found however they are written; links; emoji.

use std::collections::HashMap;

use shared::room::mode::{MAX_BLOCKED_CHARS, MAX_BLOCKED_WORDS};

/// A room's blocked words.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    words: Vec<String>,
    /// The words' letters, by their first one.
    by_first: HashMap<char, Vec<Vec<char>>>,
}

impl Blocked {
    /// These; words past the bounds and empty ones are left out.
    pub(super) fn new(words: Vec<String>) -> Self {
        let mut blocked = Self::default();
        for word in words {
            let word = word.trim().to_owned();
            let letters: Vec<char> = letters(&word).into_iter().map(|letter| letter.letter).collect();
            let fits = word.chars().count() <= MAX_BLOCKED_CHARS && blocked.words.len() < MAX_BLOCKED_WORDS;
            let Some(first) = letters.first().filter(|_| fits && !blocked.words.contains(&word)) else {
                continue;
            };
            blocked.by_first.entry(*first).or_default().push(letters);
            blocked.words.push(word);
        }
        blocked
    }

    /// As they were given.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether one of them is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let text = letters(text);
        (0..text.len()).any(|at| {
            let words = self.by_first.get(&text[at].letter).into_iter().flatten();
            words.into_iter().any(|word| stands(word, &text, at))
        })
    }
}

/// Whether the word stands in the text from `at` on. Letters may be spaced out where the whole then stands
/// between spaces, so that the end of a word and the beginning of the next are not one; Chinese knows no spaces.
fn stands(word: &[char], text: &[Letter], at: usize) -> bool {
    let Some(found) = text.get(at..at + word.len()) else { return false };
    if !found.iter().zip(word).all(|(letter, wanted)| letter.letter == *wanted) {
        return false;
    }
    let is_spaced = found.iter().skip(1).any(|letter| letter.is_after_space && !is_han(letter.letter));
    let is_alone = found.first().is_some_and(|letter| letter.is_after_space)
        && text.get(at + word.len()).is_none_or(|next| next.is_after_space);
    !is_spaced || is_alone
}

/// A letter of a text, brought to the form in which letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Letter {
    letter: char,
    /// Whether anything but letters, or nothing, stands before it.
    is_after_space: bool,
}

/// The letters of a text: full-width as half-width, small, without accents, look-alikes as what they look like.
fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
    let mut is_after_space = true;
    let mut chars = text.chars().map(narrow).peekable();
    let mut before = ' ';
    while let Some(one) = chars.next() {
        let near = |other: char| other.is_alphabetic();
        let is_among = near(before) || chars.peek().copied().is_some_and(near);
        let plain = match one {
            // What stands for a letter does so only beside letters: prices and times are left as they are.
            _ if is_among && stand_in(one).is_some() => stand_in(one),
            _ if is_mark(one) => {
                continue;
            }
            _ if one.is_alphanumeric() => Some(look_alike(one)),
            _ => None,
        };
        before = one;
        let Some(plain) = plain else {
            is_after_space = true;
            continue;
        };
        for letter in plain.to_lowercase().filter(|letter| !is_mark(*letter)) {
            letters.push(Letter { letter: look_alike(letter), is_after_space });
            is_after_space = false;
        }
    }
    letters
}

/// Full-width forms as half-width ones.
fn narrow(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        '\u{3000}' => ' ',
        '\u{24b6}'..='\u{24cf}' => char::from_u32(u32::from(letter) - 0x24b6 + 0x41).unwrap_or(letter),
        '\u{24d0}'..='\u{24e9}' => char::from_u32(u32::from(letter) - 0x24d0 + 0x61).unwrap_or(letter),
        '\u{1d400}'..='\u{1d6a3}' => mathematical(letter),
        letter => letter,
    }
}

/// Letters in bold, italic, script and the like, of 26 capital and 26 small ones each.
fn mathematical(letter: char) -> char {
    let index = (u32::from(letter) - 0x1d400) % 52;
    char::from_u32(if index < 26 { 0x41 + index } else { 0x61 + index - 26 }).unwrap_or(letter)
}

/// Digits and signs that are written in place of letters.
fn stand_in(sign: char) -> Option<char> {
    Some(match sign {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        _ => return None,
    })
}

/// Letters of other scripts that look like Latin ones, and Latin ones with accents.
fn look_alike(letter: char) -> char {
    match letter {
        'а' | 'α' | 'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => 'c',
        'ď' | 'đ' | 'ԁ' => 'd',
        'е' | 'ё' | 'ε' | 'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'н' | 'ĥ' | 'ħ' => 'h',
        'і' | 'ї' | 'ι' | 'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ј' | 'ĵ' => 'j',
        'к' | 'κ' | 'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'м' => 'm',
        'ñ' | 'ń' | 'ņ' | 'ň' | 'η' => 'n',
        'о' | 'ο' | 'σ' | 'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'р' | 'ρ' => 'p',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ѕ' | 'ś' | 'ŝ' | 'ş' | 'š' => 's',
        'т' | 'τ' | 'ţ' | 'ť' => 't',
        'υ' | 'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ν' => 'v',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        letter => letter,
    }
}

fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{0300}'..='\u{036f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether it belongs to a script that is written without spaces.
fn is_han(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Ends of host names that are taken for such without a scheme before them.
const TOP: [&str; 24] = [
    "com", "net", "org", "cn", "io", "me", "cc", "tv", "top", "xyz", "info", "co", "uk", "de", "ru", "hk",
    "tw", "jp", "app", "dev", "gg", "ly", "vip", "shop",
];

/// Whether the text has an address that can be followed.
pub(super) fn has_link(text: &str) -> bool {
    let plain: String = text.chars().map(narrow).map(|one| if one == '。' { '.' } else { one }).collect();
    let plain = plain.to_lowercase();
    if plain.contains("://") || plain.contains("www.") {
        return true;
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    plain.match_indices('.').any(|(at, _)| {
        let top: String = plain[at + 1..].chars().take_while(|letter| fits(*letter)).collect();
        plain[..at].chars().next_back().is_some_and(fits) && TOP.contains(&top.as_str())
    })
}

/// Whether the text is emoji only.
pub(super) fn is_emotes(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(letter) = chars.next() {
        let is_keycap =
            matches!(letter, '0'..='9' | '#' | '*') && matches!(chars.peek(), Some('\u{fe0f}' | '\u{20e3}'));
        let is_emoji = matches!(
            letter,
            ' ' | '\u{200d}' | '\u{20e3}' | '\u{fe0f}' | '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}'
            | '\u{2139}' | '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23ff}' | '\u{25aa}'..='\u{25fe}'
            | '\u{2600}'..='\u{27bf}' | '\u{2934}' | '\u{2935}' | '\u{2b05}'..='\u{2b55}' | '\u{3030}' | '\u{303d}'
            | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}' | '\u{e0020}'..='\u{e007f}'
        );
        if !is_keycap && !is_emoji {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(words: &[&str]) -> Blocked {
        Blocked::new(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_word_is_found_however_it_is_written() {
        let blocked = blocked(&["scam", "加微信", "敏感"]);
        for text in [
            "scam",
            "a SCAM!",
            "ｓｃａｍ",
            "s c a m",
            "s.c-a_m",
            "sсаm",
            "5c4m",
            "$cam",
            "scàm",
            "ⓢⓒⓐⓜ",
            "𝐬𝐜𝐚𝐦",
            "scammers",
            "s\u{200b}cam",
            "加微信",
            "加 微 信",
            "请加-微-信吧",
            "加。微。信",
            "敏　感",
        ] {
            assert!(blocked.is_in(text), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_word_and_the_beginning_of_the_next_are_not_one() {
        let blocked = blocked(&["scam", "敏感"]);
        for text in ["scan me", "discs came", "5 4 3", "at 5:45 cam", "敏捷的感觉", "", "¿?", "sc"] {
            assert!(!blocked.is_in(text), "{text}");
        }
    }

    #[test]
    fn words_are_bounded_and_empty_ones_block_nothing() {
        let many = (0..MAX_BLOCKED_WORDS + 50).map(|n| format!("word{n}x")).collect();
        assert_eq!(Blocked::new(many).words().len(), MAX_BLOCKED_WORDS);
        let none = blocked(&["", " ", "...", &"x".repeat(51)]);
        assert!(none.words().is_empty() && !none.is_in("anything ... at all"));
        assert_eq!(blocked(&["a1", "a1"]).words().len(), 1);
    }

    #[test]
    fn links_are_found_with_and_without_a_scheme() {
        for text in [
            "http://x",
            "see HTTPS://x.y",
            "www.example",
            "buy at shop.example.com now",
            "a.cn",
            "ａ．ｃｏｍ",
            "t.me/x",
        ] {
            assert!(has_link(text), "{text}");
        }
        for text in ["hello. me too", "3.14", "e.g. this", "end.", ".com", "你好。世界"] {
            assert!(!has_link(text), "{text}");
        }
    }

    #[test]
    fn emoji_are_told_from_text() {
        for text in ["👍", "👩‍👩‍👧‍👦 ❤️", "🇨🇳🇩🇪", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "😀😀 🎉"]
        {
            assert!(is_emotes(text), "{text}");
        }
        for text in ["ok 👍", "12", "好", "<3"] {
            assert!(!is_emotes(text), "{text}");
        }
    }
}
