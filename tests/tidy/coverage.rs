//! What the MoQT engine says of itself: each row of its coverage tables names what is there.

use std::{collections::BTreeSet, fs};

use anyhow::Result;

use super::{root, rust_files};

/// The cells of each row.
fn rows() -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join("shared/src/moqt/coverage.md"))?;
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = text.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let is_row = |row: &Vec<String>| !row[0].starts_with("---") && row[1] != "draft-18";
    Ok(rows.into_iter().filter(is_row).collect())
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn each_row_names_files_and_tests_that_are_there() -> Result<()> {
    let files = rust_files()?;
    let paths: BTreeSet<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let tests: BTreeSet<&str> = files
        .iter()
        .flat_map(|(_, text)| text.match_indices("fn ").map(|(at, _)| &text[at + 3..]))
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .collect();
    let rows = rows()?;
    assert!(rows.len() > 100, "{} rows", rows.len());
    for row in rows {
        let [what, section, place, shown] = &row[..] else { panic!("{row:?} has not four cells") };
        assert!(section.starts_with('§'), "{what}: {section}");
        if let Some(why) = place.strip_prefix("absent: ") {
            assert!(!why.is_empty() && shown.is_empty(), "{what}: {why}");
            continue;
        }
        assert!(names(place).next().is_some() && names(shown).next().is_some(), "{what} names nothing");
        for path in names(place) {
            let is_there = paths.contains(format!("shared/src/{path}").as_str()) || paths.contains(path);
            assert!(is_there, "{what}: there is no {path}");
        }
        for test in names(shown) {
            assert!(tests.contains(test), "{what}: there is no test {test}");
        }
    }
    Ok(())
}

#[test]
fn each_code_and_message_of_the_draft_has_a_row() -> Result<()> {
    let codes = fs::read_to_string(root().join("shared/src/moqt/code.rs"))?;
    let messages = fs::read_to_string(root().join("shared/src/moqt/wire/control.rs"))?;
    let quoted = |text: &str, sign: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(sign));
        lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
    };
    let codes = quoted(&codes, " = 0x");
    let messages = quoted(&messages, " => \"");
    assert!(codes.len() > 50 && messages.len() > 15, "{codes:?} {messages:?}");
    let rows = rows()?;
    for name in codes.iter().chain(&messages).filter(|name| *name != "PUBLISH_OK") {
        let has = |row: &Vec<String>| row[0].split([' ', ',']).any(|word| word == name);
        assert!(rows.iter().any(has), "{name} has no row");
    }
    Ok(())
}
