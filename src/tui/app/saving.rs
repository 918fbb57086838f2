//! What is saved, and what is gone on with.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::effect::{APPEND, Effect, FIGURES};
use super::super::line_entry::{LineEntry, Purpose};
use super::super::overlay::ErrorOverlay;
use super::super::saving::resume;
use super::{Model, State};
use crate::engine::{Inspected, Request, Tokens};
use crate::figure::Figure;
use crate::session::{EXTENSION, ModelRef, Saved, SessionError};
use crate::text::BosPolicy;

impl State {
    /// The session as a file holds it, once there is a model and a token.
    pub fn saved(&self) -> Option<Saved> {
        let Model::Loaded(open) = &self.model else { return None };
        let model = ModelRef {
            source: self.files.model.clone(),
            fingerprint: open.info.fingerprint.clone(),
            arithmetic: self.options.arithmetic,
            dtype: self.options.dtype,
        };
        let (panels, focus) = self.panels.saved();
        let saved = self.session.saved(model, self.view().name().word(), self.panels.focused().head())?;
        Some(Saved { panels, focus, ..saved })
    }

    /// Goes on with the session that was asked for, if it belongs to the model that was loaded.
    pub(super) fn take_up(&mut self) -> Option<Vec<Effect>> {
        let saved = self.files.resumed.take()?;
        let Model::Loaded(open) = &self.model else { return None };
        if let Err(error) = saved.check_model(&open.info.fingerprint) {
            self.overlays.push(Box::new(ErrorOverlay::told(&error, error.hint())));
            return None;
        }
        match resume(&saved) {
            Ok(session) => self.session = session,
            Err(problem) => {
                self.overlays
                    .push(Box::new(ErrorOverlay::said(&format!("the session cannot be gone on with: {problem}"))));
                return None;
            }
        }
        self.panels.resume(&saved.panels, saved.focus);
        let panel = self.panels.focused_mut();
        panel.show_head(saved.head);
        panel.show_named(|name| name.word() == saved.view);
        Some(self.inspect())
    }

    /// Lets a line be typed, which starts with what is there.
    pub(super) fn ask_for(&mut self, purpose: Purpose) -> Vec<Effect> {
        if self.saved().is_none() {
            return Vec::new();
        }
        let text = match purpose {
            Purpose::Session => format!("session.{EXTENSION}"),
            Purpose::Figures => "figures".to_owned(),
            Purpose::Chain => self.session.sampling().chain_text(),
            Purpose::Append | Purpose::Label(_) | Purpose::Export => String::new(),
        };
        self.line = Some(LineEntry::new(purpose, text));
        Vec::new()
    }

    /// Takes what was typed.
    pub(super) fn take_line(&mut self, mut line: LineEntry) -> Vec<Effect> {
        let text = line.input().value().to_owned();
        match line.purpose() {
            Purpose::Label(node) => self.session.label(node, &text),
            Purpose::Chain => match self.session.sampling().with_chain(&text) {
                Ok(sampling) => {
                    self.session.set_sampling(sampling);
                    return self.inspect();
                }
                Err(error) => {
                    line.refuse(error.to_string());
                    self.line = Some(line);
                }
            },
            Purpose::Session | Purpose::Figures if text.trim().is_empty() => {
                line.refuse("a name is needed".into());
                self.line = Some(line);
            }
            Purpose::Export => return self.export_to(line),
            Purpose::Session => return self.save(PathBuf::from(text.trim())).into_iter().collect(),
            Purpose::Figures => return self.compute_figures(PathBuf::from(text.trim())),
            Purpose::Append if text.is_empty() => {}
            Purpose::Append => return vec![self.submit(APPEND, Request::Tokenise { text, bos: BosPolicy::Never })],
        }
        Vec::new()
    }

    fn save(&self, file: PathBuf) -> Option<Effect> {
        self.saved().map(|saved| Effect::SaveSession { file, saved: Box::new(saved) })
    }

    fn compute_figures(&mut self, folder: PathBuf) -> Vec<Effect> {
        self.folder = Some(folder);
        let asked = Inspected {
            ids: self.session.tokens().ids.clone(),
            ask: self.session.ask(),
            interventions: self.session.interventions().active(),
            head: self.panels.focused().head(),
            sampling: self.session.sampling(),
        };
        vec![self.submit(FIGURES, Request::Figures(asked))]
    }

    pub(super) fn save_figures(&mut self, figures: Arc<Vec<(String, Vec<Figure>)>>) -> Vec<Effect> {
        self.folder.take().map(|folder| Effect::SaveFigures { folder, figures }).into_iter().collect()
    }

    /// Appends the tokens of a text after the selected position.
    pub(super) fn append_all(&mut self, tokens: Tokens) -> Vec<Effect> {
        self.session.branch();
        for (id, visible) in tokens.ids.into_iter().zip(tokens.visible) {
            self.session.append(id, visible);
        }
        self.inspect()
    }

    pub(super) fn written(&mut self, written: Result<String, SessionError>) {
        match written {
            Ok(text) => self.notice = Some(text),
            Err(error) => self.overlays.push(Box::new(ErrorOverlay::told(&error, error.hint()))),
        }
    }
}
