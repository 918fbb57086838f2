//! Task files of lm-evaluation-harness: includes, groups and tags. What stands in a file is read elsewhere.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::dataset::line_of;
use super::definition::{self, Definition, Dialect};
use super::group::{self, Membership};
use super::node::{Kind, Node};
use super::problem::{Problem, nearest};
use super::yaml;

/// A file and what stands in it, includes in place.
struct File {
    path: PathBuf,
    root: Node,
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, Problem> {
    let file = path.display().to_string();
    let bytes =
        fs::read(path).map_err(|error| Problem::new(&file, None, format!("the file cannot be read: {error}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = line_of(bytes, error.valid_up_to());
            Err(Problem::new(&file, line, "this is not UTF-8"))
        }
    }
}

/// The tasks of a file: one, or those of a group.
pub(super) fn file(path: &Path) -> Result<Vec<Definition>, Vec<Problem>> {
    let root = load(path, &mut HashSet::new())?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut index = Index { folder, files: None, problems: Vec::new(), open: Vec::new() };
    let definitions = index.tasks(path, &root, &[]);
    if index.problems.is_empty() { Ok(definitions) } else { Err(index.problems) }
}

/// The tasks of all files in a folder.
pub(super) fn folder(path: &Path) -> Result<Vec<Definition>, Vec<Problem>> {
    let (mut definitions, mut problems) = (Vec::new(), Vec::new());
    let files: Vec<PathBuf> = yaml_files(path).into_iter().filter(|file| is_task(file)).collect();
    if files.is_empty() {
        let what = "the folder holds neither a suite.toml nor a .yaml file with a task";
        return Err(vec![Problem::new(&path.display().to_string(), None, what)]);
    }
    for path in files {
        match file(&path) {
            Ok(found) => definitions.extend(found),
            Err(found) => problems.extend(found),
        }
    }
    let definitions = once(definitions, &mut problems);
    if problems.is_empty() { Ok(definitions) } else { Err(problems) }
}

/// Each task once. Named twice it is the same one if nothing differs; else its results could not be told apart.
fn once(definitions: Vec<Definition>, problems: &mut Vec<Problem>) -> Vec<Definition> {
    let mut kept: Vec<Definition> = Vec::new();
    for definition in definitions {
        let Some(first) = kept.iter_mut().find(|first| first.name == definition.name) else {
            kept.push(definition);
            continue;
        };
        if first.file == definition.file && first.source == definition.source {
            let more = definition.groups.into_iter().filter(|group| !first.groups.contains(group));
            let more: Vec<Membership> = more.collect();
            first.groups.extend(more);
        } else {
            let ((file, line), (at, of)) = (&definition.named, &first.named);
            let what = format!(
                "the task `{}` is here once more, with other keys than at {at}:{of}: results go by the name of a task, \
                 leave one of the two out or call it otherwise",
                first.name
            );
            problems.push(Problem::new(file, *line, what));
        }
    }
    kept
}

/// Whether a file is a task by itself, and not what others include or a group of others. A broken file is.
fn is_task(path: &Path) -> bool {
    load(path, &mut HashSet::new()).map_or(true, |root| root.get("task").is_some_and(|task| task.text().is_some()))
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    let is_yaml = |path: &Path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let below = |path: PathBuf| if path.is_dir() { yaml_files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| is_yaml(path)).collect()
}

/// A file with its includes, whose keys its own replace.
fn load(path: &Path, seen: &mut HashSet<PathBuf>) -> Result<Node, Vec<Problem>> {
    let file = path.display().to_string();
    let mut root = yaml::read(&file, &text(path).map_err(|problem| vec![problem])?)?;
    if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned())) {
        return Err(vec![root.problem("the file includes itself")]);
    }
    let Kind::Table(entries) = &mut root.kind else {
        return Err(vec![root.problem(format!("the file is {}, a table is expected", root.is_a()))]);
    };
    let Some(at) = entries.iter().position(|(key, _)| key == "include") else { return Ok(root) };
    let (_, include) = entries.remove(at);
    let own = std::mem::take(entries);
    let mut merged = Vec::new();
    for node in included(&include)? {
        let name = node.text().unwrap_or_default();
        let included = path.parent().unwrap_or(Path::new("")).join(name);
        if !included.is_file() {
            return Err(vec![node.problem(format!("the included file `{}` does not exist", included.display()))]);
        }
        if let Kind::Table(entries) = load(&included, seen)?.kind {
            merged = updated(merged, entries.into_iter().filter(|(key, _)| key != "task_list"));
        }
    }
    root.kind = Kind::Table(updated(merged, own.into_iter()));
    Ok(root)
}

fn included(include: &Node) -> Result<Vec<&Node>, Vec<Problem>> {
    match &include.kind {
        Kind::List(nodes) if nodes.iter().all(|node| node.text().is_some()) => Ok(nodes.iter().collect()),
        _ if include.text().is_some() => Ok(vec![include]),
        _ => Err(vec![include.problem("`include` is neither a file nor a list of files")]),
    }
}

fn updated(mut entries: Vec<(String, Node)>, with: impl Iterator<Item = (String, Node)>) -> Vec<(String, Node)> {
    for (key, node) in with {
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = node,
            None => entries.push((key, node)),
        }
    }
    entries
}

/// Finds the members of groups among the files of a folder.
struct Index {
    folder: PathBuf,
    files: Option<Vec<File>>,
    problems: Vec<Problem>,
    /// The groups that are being opened.
    open: Vec<String>,
}

/// Keys of a group that are its own; the others hold for its tasks.
const OF_GROUP: &[&str] = &["group", "group_alias", "task", "aggregate_metric_list", "metadata"];

impl Index {
    /// The tasks of a table: itself, or the members of the group that it is. `over` replaces keys of theirs.
    fn tasks(&mut self, path: &Path, root: &Node, over: &[(String, Node)]) -> Vec<Definition> {
        match root.get("task").map(|task| (task, &task.kind)) {
            Some((_, Kind::List(members))) => self.members(path, root, members, over),
            Some((task, Kind::Scalar(_))) if root.get("group").is_some() && task.text().is_some() => {
                self.members(path, root, std::slice::from_ref(task), over)
            }
            _ => self.task(path, root, over),
        }
    }

    fn task(&mut self, path: &Path, root: &Node, over: &[(String, Node)]) -> Vec<Definition> {
        let mut root = root.clone();
        if let Kind::Table(entries) = root.kind {
            root.kind = Kind::Table(updated(entries, over.iter().cloned()));
        }
        match definition::read(&root, path, Dialect::LmEval) {
            Ok(definition) => vec![definition],
            Err(problems) => {
                self.problems.extend(problems);
                Vec::new()
            }
        }
    }

    fn members(&mut self, path: &Path, root: &Node, members: &[Node], over: &[(String, Node)]) -> Vec<Definition> {
        let name = root.get("group").and_then(Node::text).unwrap_or_default().to_owned();
        let counted = root.get("aggregate_metric_list").map_or(Ok(Vec::new()), |node| group::read(&name, node));
        let counted = counted.unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Vec::new()
        });
        if self.open.contains(&name) {
            self.problems.push(root.problem(format!("the group `{name}` is a member of itself")));
            return Vec::new();
        }
        let Kind::Table(entries) = &root.kind else { return Vec::new() };
        let own = entries.iter().filter(|(key, _)| !OF_GROUP.contains(&key.as_str())).cloned();
        let over = updated(own.collect(), over.iter().cloned());
        self.open.push(name);
        let mut found: Vec<Definition> = Vec::new();
        for member in members {
            let tasks = self.member(path, member, &over).into_iter();
            found.extend(tasks.map(|task| Definition { named: (member.file.to_string(), member.line), ..task }));
        }
        self.open.pop();
        let mut found = once(found, &mut self.problems);
        for definition in &mut found {
            definition.groups.extend_from_slice(&counted);
        }
        found
    }

    fn member(&mut self, path: &Path, member: &Node, over: &[(String, Node)]) -> Vec<Definition> {
        if let Some(name) = member.text() {
            return self.named(name, member, over);
        }
        let Kind::Table(entries) = &member.kind else {
            self.problems.push(member.problem(format!("a member of a group is {}, a name is expected", member.is_a())));
            return Vec::new();
        };
        let rest = entries.iter().filter(|(key, _)| key != "task" && key != "group").cloned();
        match (member.get("group").and_then(Node::text), member.get("task").and_then(Node::text)) {
            (Some(group), _) if self.find(group).is_empty() => self.tasks(path, member, over),
            (Some(group), _) => self.named(group, member, &updated(over.to_vec(), rest)),
            (None, Some(task)) if self.find(task).is_empty() => self.task(path, member, &updated(over.to_vec(), rest)),
            (None, Some(task)) => self.named(task, member, &updated(over.to_vec(), rest)),
            (None, None) => {
                self.problems.push(member.problem("a member of a group needs `task` or `group`"));
                Vec::new()
            }
        }
    }

    fn named(&mut self, name: &str, at: &Node, over: &[(String, Node)]) -> Vec<Definition> {
        let found = self.find(name);
        if found.is_empty() {
            let known = self.names();
            let near = nearest(name, known.iter().map(String::as_str));
            let what = format!("no file in `{}` defines the task `{name}`, {near}", self.folder.display());
            self.problems.push(at.problem(what));
        }
        found.into_iter().flat_map(|file| self.tasks(&file.path, &file.root, over)).collect()
    }

    fn files(&mut self) -> &[File] {
        let folder = &self.folder;
        self.files.get_or_insert_with(|| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let load = |path: PathBuf| load(&path, &mut HashSet::new()).ok().map(|root| File { path, root });
            yaml_files(folder).into_iter().filter_map(load).collect()
        })
    }

    /// The file of a task or a group, or the files of a tag.
    fn find(&mut self, name: &str) -> Vec<File> {
        let is = |file: &&File, key: &str| file.root.get(key).and_then(Node::text) == Some(name);
        let files = self.files();
        let group = |file: &&File| is(file, "group");
        let task = |file: &&File| is(file, "task") && file.root.get("group").is_none();
        let one = files.iter().find(task).or_else(|| files.iter().find(group));
        let tagged = files.iter().filter(|file| tags(&file.root).contains(&name));
        let found: Vec<&File> = if one.is_some() { one.into_iter().collect() } else { tagged.collect() };
        let mut found: Vec<File> =
            found.into_iter().map(|file| File { path: file.path.clone(), root: file.root.clone() }).collect();
        found.sort_by(|x, y| x.root.get("task").and_then(Node::text).cmp(&y.root.get("task").and_then(Node::text)));
        found
    }

    fn names(&mut self) -> Vec<String> {
        let name = |file: &File| file.root.get("task").and_then(Node::text).map(str::to_owned);
        self.files().iter().filter_map(name).collect()
    }
}

fn tags(root: &Node) -> Vec<&str> {
    match root.get("tag").map(|tag| (tag, &tag.kind)) {
        Some((_, Kind::List(tags))) => tags.iter().filter_map(Node::text).collect(),
        Some((tag, _)) => tag.text().into_iter().collect(),
        None => Vec::new(),
    }
}
