//! The terminal UI without a terminal, and the real binary in a pty.

mod attention;
mod compare;
mod data;
mod drive;
mod evals;
mod export;
mod find;
mod glyphs;
mod keys;
mod lens;
mod live;
mod model;
mod mouse;
mod panels;
mod patch;
mod pty;
mod random;
mod scenes;
mod sessions;
mod snapshot;
mod step;
mod tutorial;
mod update;
mod why;
