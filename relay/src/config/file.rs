//! The configuration file: its values become the options' defaults, so that one set of parsers and one
//! order of precedence serve all.

use toml::{Table, Value};

/// `command` with the file's values as the defaults of `serve`.
///
/// # Errors
/// In words: no TOML, a key that is no option, a value of a kind that no option has.
pub(super) fn with_defaults(command: clap::Command, text: &str) -> Result<clap::Command, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| format!("it is no TOML: {error}"))?;
    let known: Vec<String> = command
        .find_subcommand("serve")
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .filter(|name| name != "config" && name != "help")
        .collect();
    let mut defaults = Vec::new();
    for (key, value) in table {
        if !known.contains(&key) {
            return Err(format!("unknown key {key:?}; known are {}", known.join(", ")));
        }
        defaults.push((key.replace('-', "_"), values(&key, value)?));
    }
    Ok(command.mut_subcommand("serve", |mut serve| {
        for (id, values) in defaults {
            serve = serve.mut_arg(id, |argument| argument.default_values(values));
        }
        serve
    }))
}

fn values(key: &str, value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Integer(number) => Ok(vec![number.to_string()]),
        Value::Boolean(is_set) => Ok(vec![is_set.to_string()]),
        Value::Array(items) => {
            let lists: Result<Vec<_>, _> = items.into_iter().map(|item| values(key, item)).collect();
            Ok(lists?.concat())
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
            Err(format!("{key} is to be a text, a whole number, true or false, or a list of texts"))
        }
    }
}
