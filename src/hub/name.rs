//! Names on the hub: of models `org/name`, `hf://org/name@revision`, `hf://org/name/file.gguf`, of data sets
//! `hf://datasets/org/name@revision`.

use std::fmt;

use super::error::Error;

/// What an unmistakable name of the hub begins with.
pub const SCHEME: &str = "hf://";

/// What the name of a data set begins with.
pub const DATASETS: &str = "hf://datasets/";

/// The branch that is meant if no revision is named.
pub(super) const DEFAULT_REVISION: &str = "main";

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

/// A repository: `org/name`, or the few old ones without an organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoId {
    kind: Kind,
    id: String,
}

/// A data set on the hub, perhaps at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetName {
    /// The repository.
    pub repo: RepoId,
    /// A branch, a tag, a commit; `main` if there is none.
    pub revision: Option<String>,
}

/// A model on the hub, perhaps at a revision, perhaps one file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// The repository.
    pub repo: RepoId,
    /// A branch, a tag, a commit; `main` if there is none.
    pub revision: Option<String>,
    /// A GGUF file in it.
    pub file: Option<String>,
}

impl RepoId {
    fn parse(kind: Kind, text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let valid = parts.len() <= 2 && parts.iter().all(|part| is_name(part));
        valid.then(|| Self { kind, id: text.to_owned() })
    }

    /// The text, `org/name`.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// Where the server has it: `org/name`, or `datasets/org/name`.
    pub(super) fn address(&self) -> String {
        match self.kind {
            Kind::Model => self.id.clone(),
            Kind::Dataset => format!("datasets/{}", self.id),
        }
    }

    /// Where the server tells of it.
    pub(super) fn api(&self) -> String {
        match self.kind {
            Kind::Model => format!("api/models/{}", self.id),
            Kind::Dataset => format!("api/datasets/{}", self.id),
        }
    }

    /// Its folder in the cache.
    pub(super) fn folder(&self) -> String {
        let of = match self.kind {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        };
        format!("{of}--{}", self.id.replace('/', "--"))
    }

    /// The model whose folder this is.
    pub(super) fn of_folder(folder: &str) -> Option<Self> {
        Self::parse(Kind::Model, &folder.strip_prefix("models--")?.replace("--", "/"))
    }
}

/// What the hub allows: so `--` and `..` never occur, and a folder's name can be read back.
fn is_name(part: &str) -> bool {
    let allowed = part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let ends_well = !part.starts_with(['-', '.']) && !part.ends_with(['-', '.']);
    allowed && ends_well && !part.is_empty() && part.len() <= 96 && !part.contains("--") && !part.contains("..")
}

impl ModelName {
    /// Reads `org/name[@revision]`, or after `hf://` also `name` and `org/name[@revision]/file.gguf`.
    ///
    /// # Errors
    /// [`Error::BadName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::BadName { found: text.to_owned(), why };
        let (rest, scheme) = text.strip_prefix(SCHEME).map_or((text, false), |rest| (rest, true));
        let (id, revision, file) = split(rest, scheme);
        let repo = RepoId::parse(Kind::Model, id).ok_or_else(|| bad("a repository is called org/name"))?;
        if is_gguf(id) || id.ends_with(".safetensors") {
            return Err(bad("it looks like a file"));
        }
        if !scheme && !id.contains('/') {
            return Err(bad("without hf:// a name is org/name"));
        }
        if revision.is_some_and(|revision| !is_safe_path(revision)) {
            return Err(bad("the part behind @ is no revision"));
        }
        let name = Self { repo, revision: revision.map(ToOwned::to_owned), file: None };
        file.map_or(Ok(name.clone()), |file| name.with_file(file))
    }

    /// The same model, of which one GGUF file is meant.
    ///
    /// # Errors
    /// [`Error::BadName`] if `file` is no GGUF file, or leads out of the repository.
    pub fn with_file(self, file: &str) -> Result<Self, Error> {
        if is_gguf(file) && is_safe_path(file) {
            return Ok(Self { file: Some(file.to_owned()), ..self });
        }
        Err(Error::BadName { found: format!("{self}/{file}"), why: "the one file that can be named is a .gguf" })
    }

    /// The name with `hf://`, as `--model` takes it.
    pub fn url(&self) -> String {
        format!("{SCHEME}{self}")
    }

    /// The shortest text that `--model` takes.
    pub fn model_arg(&self) -> String {
        if self.file.is_none() && self.repo.id.contains('/') { self.to_string() } else { self.url() }
    }

    /// The command that fetches it.
    pub fn pull_command(&self) -> String {
        let without_file = Self { file: None, ..self.clone() };
        let file = self.file.as_ref().map(|file| format!(" {file}")).unwrap_or_default();
        format!("lmscope pull {}{file}", without_file.model_arg())
    }

    /// The revision, or the default branch.
    pub(super) fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repo.id)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        Ok(())
    }
}

impl DatasetName {
    /// Reads `hf://datasets/org/name[@revision]`.
    ///
    /// # Errors
    /// [`Error::BadDataset`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix(DATASETS).ok_or_else(|| Error::BadDataset { found: text.to_owned() })?;
        match rest.split_once('@') {
            Some((id, revision)) => Self::new(id, Some(revision)),
            None => Self::new(rest, None),
        }
    }

    /// The data set `org/name`, or one of the few old ones without an organisation, at a revision.
    ///
    /// # Errors
    /// [`Error::BadDataset`] if one of the two is none.
    pub fn new(id: &str, revision: Option<&str>) -> Result<Self, Error> {
        let repo = RepoId::parse(Kind::Dataset, id).filter(|_| revision.is_none_or(is_safe_path));
        let at = revision.map(|revision| format!("@{revision}")).unwrap_or_default();
        let repo = repo.ok_or_else(|| Error::BadDataset { found: format!("{id}{at}") })?;
        Ok(Self { repo, revision: revision.map(str::to_owned) })
    }

    /// The command that fetches it, or one configuration of it.
    pub fn pull_command(&self, config: Option<&str>) -> String {
        let config = config.map(|config| format!(" {config}")).unwrap_or_default();
        format!("lmscope pull {DATASETS}{self}{config}")
    }

    /// The revision, or the default branch.
    pub(super) fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repo.id)?;
        self.revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))
    }
}

/// Repository, revision and file of a name.
fn split(rest: &str, scheme: bool) -> (&str, Option<&str>, Option<&str>) {
    if let Some((id, behind)) = rest.split_once('@') {
        if !scheme {
            return (id, Some(behind), None);
        }
        // the only revisions with a slash that the scheme knows
        let n = if behind.starts_with("refs/pr/") || behind.starts_with("refs/convert/") { 3 } else { 1 };
        let end = behind.match_indices('/').nth(n - 1).map_or(behind.len(), |(at, _)| at);
        return (id, Some(&behind[..end]), behind.get(end + 1..));
    }
    match rest.match_indices('/').nth(1) {
        Some((at, _)) if scheme => (&rest[..at], None, Some(&rest[at + 1..])),
        _ => (rest, None, None),
    }
}

/// Whether a file is GGUF, by its name.
pub(super) fn is_gguf(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && extension.eq_ignore_ascii_case("gguf"))
}

/// Whether a relative path with `/` stays below the folder it is joined to, on every system.
pub(super) fn is_safe_path(path: &str) -> bool {
    let bad = |c: char| c.is_control() || c == '\\' || (cfg!(windows) && c == ':');
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        let check = |text: &str, repo: &str, revision: Option<&str>, file: Option<&str>| {
            let name = ModelName::parse(text).unwrap();
            assert_eq!((name.repo.as_str(), name.revision.as_deref(), name.file.as_deref()), (repo, revision, file));
            assert_eq!(ModelName::parse(&name.url()).unwrap(), name);
            assert_eq!(ModelName::parse(&name.model_arg()).unwrap(), name);
        };
        check("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B", None, None);
        check("org/name@v1.0", "org/name", Some("v1.0"), None);
        check("org/name@refs/pr/3", "org/name", Some("refs/pr/3"), None);
        check("hf://gpt2", "gpt2", None, None);
        check("hf://org/name@1a2b/q/x.Q4_1.gguf", "org/name", Some("1a2b"), Some("q/x.Q4_1.gguf"));
        check("hf://org/name@refs/pr/3/x.gguf", "org/name", Some("refs/pr/3"), Some("x.gguf"));
        check("hf://org/name/sub/x.GGUF", "org/name", None, Some("sub/x.GGUF"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let paths = ["gpt2", "no/such/model", "models/x.gguf", "./a", "../a", "/a/b", "a/b c", "~/a", "a/", "/a", ""];
        let names = [
            "hf://",
            "hf://org/name/model.safetensors",
            "hf://org/name/../x.gguf",
            "hf://org/name//x.gguf",
            "hf://org/name/..\\x.gguf",
            "hf://org/na--me",
            "org/name@",
            "org/name@../../x",
            "hf://org/.name",
            "hf://gpt2/x.gguf",
        ];
        for text in paths.iter().chain(&names) {
            assert!(matches!(ModelName::parse(text), Err(Error::BadName { .. })), "{text}");
        }
    }

    #[test]
    fn folders_are_read_back() {
        for text in ["org/name", "gpt2", "a_b/c.d-e"] {
            let repo = RepoId::parse(Kind::Model, text).unwrap();
            assert_eq!(RepoId::of_folder(&repo.folder()), Some(repo));
        }
        assert_eq!(RepoId::of_folder("datasets--org--name"), None);
    }

    #[test]
    fn data_sets_are_told_apart_from_models() {
        let check = |text: &str, id: &str, revision: Option<&str>, folder: &str| {
            let name = DatasetName::parse(text).unwrap();
            assert_eq!((name.repo.as_str(), name.revision.as_deref()), (id, revision));
            assert_eq!(
                (name.repo.folder().as_str(), name.pull_command(None)),
                (folder, format!("lmscope pull {text}"))
            );
        };
        check("hf://datasets/openai/gsm8k", "openai/gsm8k", None, "datasets--openai--gsm8k");
        check("hf://datasets/anli@v1", "anli", Some("v1"), "datasets--anli");
        check("hf://datasets/a/b@refs/convert/parquet", "a/b", Some("refs/convert/parquet"), "datasets--a--b");
        let gsm8k = DatasetName::new("openai/gsm8k", None).unwrap();
        assert_eq!(gsm8k.pull_command(Some("main")), "lmscope pull hf://datasets/openai/gsm8k main");
        assert_eq!(
            (gsm8k.repo.address().as_str(), gsm8k.repo.api().as_str()),
            ("datasets/openai/gsm8k", "api/datasets/openai/gsm8k")
        );
        for text in [
            "openai/gsm8k",
            "hf://datasets/",
            "hf://datasets/a/b/c.parquet",
            "hf://datasets/a/b@",
            "hf://datasets/a/b@../x",
        ] {
            assert!(matches!(DatasetName::parse(text), Err(Error::BadDataset { .. })), "{text}");
        }
    }
}
