//! Makes tokens, and takes them back: what `relay token` does.

use std::{fs, io, path::PathBuf};

use shared::room::{Role, identity::Standing, presence::MAX_NAME_CHARS, text};

use super::{
    KeyError, Keys, Target,
    key::random_name,
    now, revoked,
    token::{Claims, Seconds, sign},
};
use crate::config::{MintConfig, RevokeConfig, TokenAction, TokenConfig};

/// Why no token is made or taken back, with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenCommandError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The data folder cannot be used.
    #[error("cannot write to the data folder {path} ({cause}): give the relay's with --data")]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The name cannot be shown.
    #[error("--name {name:?} cannot be shown: use 1 to {MAX_NAME_CHARS} characters, no control characters")]
    Name {
        /// What was given.
        name: String,
    },
}

/// Does what `relay token` asks for: what to print on standard output, and on standard error.
///
/// # Errors
/// [`TokenCommandError`].
pub fn token(config: &TokenConfig) -> Result<(String, String), TokenCommandError> {
    match (&config.action, &config.mint) {
        (Some(TokenAction::Revoke(revoke)), _) => take_back(revoke),
        (None, Some(mint)) => make(mint),
        // The command line demands one of them.
        (None, None) => Ok((String::new(), String::new())),
    }
}

fn make(config: &MintConfig) -> Result<(String, String), TokenCommandError> {
    fs::create_dir_all(&config.data)
        .map_err(|cause| TokenCommandError::Data { path: config.data.clone(), cause })?;
    let keys = Keys::load(&config.data, config.token_key.as_deref())?;
    let id = random_name()?;
    let viewer = match &config.viewer {
        Some(viewer) => viewer.clone(),
        // A dash in front is read as an option on command lines.
        None => format!("u{}", random_name()?).parse().map_err(|_| KeyError::Random)?,
    };
    let name = config.name.as_ref().map(|name| {
        text::clean(name, MAX_NAME_CHARS).map_err(|_| TokenCommandError::Name { name: name.clone() })
    });
    let begin = now();
    let claims = Claims {
        room: config.room.to_string(),
        sub: viewer.clone(),
        role: config.role.into(),
        name: Some(match name.transpose()? {
            Some(name) => name,
            None => default_name(config.role.into()).to_owned(),
        }),
        standing: Standing::Member,
        exp: begin.plus(config.ttl),
        iat: Some(begin),
        nbf: None,
        jti: Some(id.clone()),
    };
    let token = sign(&keys, &claims);
    let mut notes = format!(
        "token {id} of viewer {viewer}; to take it back: relay token revoke --token-id={id} --data {}\n",
        config.data.display()
    );
    let site = config.site.trim_end_matches('/');
    notes.push_str(&format!("page: {site}/{}#token={token}\n", config.room));
    if Role::from(config.role) != Role::Viewer {
        notes.push_str(&format!("studio: {site}/studio/{}#token={token}\n", config.room));
    }
    Ok((format!("{token}\n"), notes))
}

fn default_name(role: Role) -> &'static str {
    match role {
        Role::Host => "Host",
        Role::Moderator => "Moderator",
        Role::Viewer => "Viewer",
    }
}

fn take_back(config: &RevokeConfig) -> Result<(String, String), TokenCommandError> {
    let begin: Seconds = now();
    let target = match (&config.token_id, &config.viewer) {
        (Some(token), _) => Some(Target::Token(token.clone())),
        (None, Some(viewer)) => {
            Some(Target::Viewer { viewer: viewer.clone(), room: config.room.clone(), until: begin })
        }
        // The command line demands one of them.
        (None, None) => None,
    };
    if let Some(target) = target {
        revoked::append(&config.data, &target, begin)
            .map_err(|cause| TokenCommandError::Data { path: config.data.clone(), cause })?;
    }
    Ok((String::new(), "revoked: a relay that runs on this data folder ends its sessions now\n".to_owned()))
}
