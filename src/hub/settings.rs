//! The environment variables that every Hugging Face tool understands.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;

/// Where the cache and the server are, and what may be used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder with a folder for every repository.
    pub cache: PathBuf,
    /// The server, without a slash at the end.
    pub endpoint: String,
    /// What the server knows the user by.
    pub token: Option<Token>,
    /// Whether the network may be used.
    pub reach: Reach,
    /// Certificates of authorities, in PEM, instead of those in the binary.
    pub certificates: Option<PathBuf>,
}

/// A secret: it is sent to the server it belongs to, and never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The header's value.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By `pull`.
    Online,
    /// By nothing: `HF_HUB_OFFLINE` is set.
    Offline,
}

impl Settings {
    /// Reads the environment through `variable`; an empty variable is as good as none.
    pub fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().trim().to_owned());
        let user = || get("HOME").or_else(|| get("USERPROFILE")).map(PathBuf::from).unwrap_or_default();
        let caches = || get("XDG_CACHE_HOME").map_or_else(|| user().join(".cache"), PathBuf::from);
        let home = get("HF_HOME").map_or_else(|| caches().join("huggingface"), PathBuf::from);
        let token_file = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
        let token = text("HF_TOKEN").or_else(|| fs::read_to_string(token_file).ok());
        let offline = text("HF_HUB_OFFLINE").is_some_and(|value| is_on(&value));
        Self {
            cache: get("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            endpoint: text("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".into())
                .trim_end_matches('/')
                .into(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).map(Token),
            reach: if offline { Reach::Offline } else { Reach::Online },
            certificates: get("SSL_CERT_FILE").map(PathBuf::from),
        }
    }
}

/// As `huggingface_hub` reads a switch.
fn is_on(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        Settings::read(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_cache_is_where_other_tools_have_it() {
        let check = |variables: &[(&str, &str)], cache: &str| assert_eq!(read(variables).cache, Path::new(cache));
        check(&[("HOME", "/home/a")], "/home/a/.cache/huggingface/hub");
        check(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")], "/c/huggingface/hub");
        check(&[("HOME", "/home/a"), ("HF_HOME", "/h")], "/h/hub");
        check(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/hub")], "/hub");
        check(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "")], "/h/hub");
    }

    #[test]
    fn switches_tokens_and_endpoints() {
        for (value, reach) in
            [("1", Reach::Offline), ("True", Reach::Offline), ("0", Reach::Online), ("", Reach::Online)]
        {
            assert_eq!(read(&[("HF_HUB_OFFLINE", value)]).reach, reach, "{value}");
        }
        let settings = read(&[("HF_TOKEN", " hf_secret\n"), ("HF_ENDPOINT", "http://mirror/")]);
        assert_eq!(settings.endpoint, "http://mirror");
        assert_eq!(settings.token.as_ref().unwrap().bearer(), "Bearer hf_secret");
        assert!(!format!("{settings:?}").contains("hf_secret"));
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("token"), "hf_filed\n").unwrap();
        let settings = read(&[("HF_HOME", home.path().to_str().unwrap())]);
        assert_eq!(settings.token.unwrap().bearer(), "Bearer hf_filed");
    }
}
