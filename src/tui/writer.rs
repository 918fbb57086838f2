//! The thread that draws and writes what is exported: a picture may take longer than a frame.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::app::Msg;
use crate::export::{EXPORTERS, ExportError, Exporter, Plain};
use crate::figure::Figure;
use crate::session::{IfThere, SessionError, encode, write_file};

/// Something to write.
pub(super) enum Task {
    /// A file.
    File { file: PathBuf, ending: &'static str, if_there: IfThere, figures: Arc<Vec<Figure>> },
    /// A text to copy.
    Text { ending: &'static str, figures: Arc<Vec<Figure>> },
}

impl Task {
    fn done(self) -> Msg {
        match self {
            Self::File { file, ending, if_there, figures } => {
                Msg::Exported(write_file(&file, exporter(ending), if_there, &figures))
            }
            Self::Text { ending, figures } => {
                let text = |encoded: crate::session::Encoded| String::from_utf8_lossy(&encoded.bytes).into_owned();
                Msg::Encoded(encode(exporter(ending), &figures).map(text))
            }
        }
    }

    /// What is told when nobody is left to do it.
    fn refused(self) -> Msg {
        let source = || io::Error::other("the thread that writes has ended");
        match self {
            Self::File { file, .. } => Msg::Exported(Err(SessionError::Write { file, source: source() })),
            Self::Text { .. } => Msg::Encoded(Err(ExportError::Write(source()))),
        }
    }
}

fn exporter(ending: &str) -> &'static dyn Exporter {
    EXPORTERS.iter().copied().find(|exporter| exporter.extension() == ending).unwrap_or(&Plain)
}

/// The thread. When it is dropped, what was given to it is written first.
pub(super) struct Writer {
    tasks: Option<Sender<Task>>,
    /// Kept, so that whoever listens need not ask whether the thread still runs.
    _done: Sender<Msg>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; what it has done comes out of the channel.
    pub(super) fn spawn() -> io::Result<(Self, Receiver<Msg>)> {
        let (tasks, waiting) = crossbeam_channel::unbounded::<Task>();
        let (done, told) = crossbeam_channel::unbounded();
        let theirs: Sender<Msg> = done.clone();
        let work = move || {
            for task in waiting {
                // whoever listened has gone if this fails; the file is written nevertheless
                let _ = theirs.send(task.done());
            }
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(work)?;
        Ok((Self { tasks: Some(tasks), _done: done, thread: Some(thread) }, told))
    }

    /// Gives it something to write; answers what is to be told at once if it cannot.
    pub(super) fn give(&self, task: Task) -> Option<Msg> {
        match &self.tasks {
            Some(tasks) => tasks.send(task).err().map(|unsent| unsent.0.refused()),
            None => Some(task.refused()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // a panic of the thread was told by the panic hook
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Bar, Bars, Content, Provenance, Scale};

    #[test]
    fn what_was_given_is_written_before_the_thread_ends() {
        let folder = tempfile::tempdir().unwrap();
        let bars = vec![Bar { label: "a".into(), value: 0.5, interval: None }];
        let content = Content::Bars(Bars { bars, scale: Scale::Probability, unit: "share".into() });
        let figure = Figure { title: "t".into(), caption: "c".into(), provenance: Provenance::default(), content };
        let figures = Arc::new(vec![figure]);
        let (writer, told) = Writer::spawn().unwrap();
        let file = folder.path().join("a.png");
        let task =
            Task::File { file: file.clone(), ending: "png", if_there: IfThere::Refuse, figures: Arc::clone(&figures) };
        assert!(writer.give(task).is_none());
        assert!(writer.give(Task::Text { ending: "csv", figures }).is_none());
        drop(writer);
        assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
        let told: Vec<Msg> = told.iter().collect();
        assert!(
            matches!(&told[..], [Msg::Exported(Ok(_)), Msg::Encoded(Ok(text))]
            if text == "label,value,low,high\na,0.5,,\n"),
            "{told:?}"
        );
    }
}
