//! The attention of whole sequences, cut into what one thread works on at a time.

use candle_core::{D, Device, Tensor};
use pulp::Arch;

use super::attend::{self, Piece, Seen, Shared, Tile};
use crate::model::Result;
use crate::model::kernel::team;

/// Queries that one thread works on at a time.
const TILE: usize = 16;

/// Attends for all queries of some sequences.
pub(super) fn attend_all(sequences: Vec<Tile<'_>>) {
    let mut tiles: Vec<Tile<'_>> = sequences.into_iter().flat_map(cut).collect();
    // the last queries have the most keys: what takes longest begins first
    tiles.reverse();
    team::each(tiles, |tile| Arch::new().dispatch(tile));
}

/// The softmax of scores `[.., key]` in f32, with the bits that attention gives a pattern.
pub(super) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let mut rows = scores.flatten_all()?.to_vec1::<f32>()?;
    let n_keys = scores.dim(D::Minus1)?.max(1);
    team::fill_rows(&mut rows, n_keys, |_, rows| rows.chunks_mut(n_keys).for_each(attend::softmax));
    Ok(Tensor::from_vec(rows, scores.shape(), &Device::Cpu)?)
}

/// A sequence in tiles: of some queries each, or, where there is one, of the heads that share keys.
fn cut(whole: Tile<'_>) -> Vec<Tile<'_>> {
    let heads = whole.heads;
    let width = heads.n_heads * heads.d_head;
    if whole.out.len() == width && heads.n_kv_heads > 1 { by_heads(whole) } else { by_queries(whole, width) }
}

fn by_queries(whole: Tile<'_>, width: usize) -> Vec<Tile<'_>> {
    let Tile { heads, first, q, pieces, out, seen } = whole;
    let n_keys = pieces.last().map_or(0, |piece| piece.start + piece.n_pos);
    let mut seen = [seen.scores, seen.pattern].map(|rows| cut_rows(rows, TILE * n_keys).into_iter());
    let mut next = || seen.each_mut().map(|rows| rows.next().unwrap_or_default());
    let parts = out.chunks_mut(TILE * width).zip(q.chunks(TILE * width)).enumerate();
    let tile = |(at, (out, q))| {
        let [scores, pattern] = next();
        let seen = Seen { scores, pattern };
        Tile { heads, first: first + at * TILE, q, pieces: pieces.clone(), out, seen }
    };
    parts.map(tile).collect()
}

/// For each tile the rows of every head.
fn cut_rows<T>(heads: Vec<&mut [T]>, tile: usize) -> Vec<Vec<&mut [T]>> {
    let mut tiles: Vec<Vec<&mut [T]>> = Vec::new();
    for head in heads {
        for (at, rows) in head.chunks_mut(tile.max(1)).enumerate() {
            if at == tiles.len() {
                tiles.push(Vec::new());
            }
            tiles[at].push(rows);
        }
    }
    tiles
}

fn by_heads<'a>(whole: Tile<'a>) -> Vec<Tile<'a>> {
    let Tile { heads, first, q, pieces, out, seen } = whole;
    let (n, group) = (heads.n_kv_heads, heads.n_heads / heads.n_kv_heads);
    let mut seen = [seen.scores, seen.pattern].map(Vec::into_iter);
    let mut next = || seen.each_mut().map(|rows| rows.take(group).collect::<Vec<_>>());
    let tile = |(head, (out, q)): (usize, (_, _))| {
        let piece = |piece: &Piece<'a>| Piece { k: part(piece.k, head, n), v: part(piece.v, head, n), ..*piece };
        let pieces = pieces.iter().map(piece).collect();
        let biases = heads.biases.map(|biases| part(biases, head, n));
        let [scores, pattern] = next();
        let heads = Shared { n_heads: group, n_kv_heads: 1, biases, ..heads };
        Tile { heads, first, q, pieces, out, seen: Seen { scores, pattern } }
    };
    out.chunks_mut(group * heads.d_head).zip(q.chunks(group * heads.d_head)).enumerate().map(tile).collect()
}

/// One of `n` equal parts.
fn part(all: &[f32], at: usize, n: usize) -> &[f32] {
    let len = all.len() / n;
    &all[at * len..(at + 1) * len]
}
