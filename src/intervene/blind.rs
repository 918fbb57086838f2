//! A query that sees no key has no pattern: knocked-out edges are added up and checked before anything runs.

use super::{Along, Edit, Op, Problem, Span};
use crate::hook::Site;
use crate::model::DecoderConfig;

/// Edges that are knocked out of one layer.
struct Knocked {
    heads: Span,
    queries: Span,
    keys: Span,
}

/// Refuses knocked-out edges that together leave a query without a key. Queries are those of the prompt, and those
/// that may be generated after it where a range is open.
pub(super) fn check(edits: &[Edit], cfg: &DecoderConfig, n_pos: Option<usize>) -> Result<(), Problem> {
    for layer in 0..cfg.n_layers {
        let knocked: Vec<Knocked> =
            edits.iter().filter(|edit| edit.at.layer() == Some(layer)).filter_map(knocked).collect();
        let mut seen: Vec<Vec<usize>> = Vec::new();
        for head in 0..cfg.n_heads {
            let here: Vec<usize> = (0..knocked.len()).filter(|&i| knocked[i].heads.contains(head)).collect();
            if here.is_empty() || seen.contains(&here) {
                continue;
            }
            let edges: Vec<&Knocked> = here.iter().map(|&i| &knocked[i]).collect();
            if let Some(query) = blind(&edges, cfg.layers[layer].window, n_pos.unwrap_or(cfg.n_ctx)) {
                return Err(Problem::Blind { query, head, layer });
            }
            seen.push(here);
        }
    }
    Ok(())
}

fn knocked(edit: &Edit) -> Option<Knocked> {
    match (edit.at.site(), edit.along.as_slice(), &edit.op) {
        (Site::AttnScores, &[Along::Items(heads), Along::Positions(queries), Along::Items(keys)], Op::Fill(_)) => {
            Some(Knocked { heads, queries, keys })
        }
        _ => None,
    }
}

/// The first query before `n` that sees no key.
fn blind(edges: &[&Knocked], window: Option<usize>, n: usize) -> Option<usize> {
    (0..n).find(|&query| {
        let mut keys: Vec<Span> =
            edges.iter().filter(|edge| edge.queries.contains(query)).map(|edge| edge.keys).collect();
        keys.sort_by_key(|span| span.start);
        let first = window.map_or(0, |window| (query + 1).saturating_sub(window));
        // the first key that none of the spans covers
        let free = keys.iter().fold(first, |free, span| match span.end {
            _ if span.start > free => free,
            None => usize::MAX,
            Some(end) => free.max(end),
        });
        free > query
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_blind(edges: &[(usize, usize, usize, usize)], window: Option<usize>) -> Option<usize> {
        let span = |start, end| Span { start, end: Some(end) };
        let edges: Vec<Knocked> = edges
            .iter()
            .map(|&(q0, q1, k0, k1)| Knocked { heads: span(0, 1), queries: span(q0, q1), keys: span(k0, k1) })
            .collect();
        blind(&edges.iter().collect::<Vec<_>>(), window, 10)
    }

    #[test]
    fn edges_add_up() {
        assert_eq!(first_blind(&[(0, 10, 0, 1)], None), Some(0));
        assert_eq!(first_blind(&[(1, 10, 0, 1)], None), None);
        assert_eq!(first_blind(&[(4, 5, 0, 3), (4, 5, 2, 5)], None), Some(4));
        assert_eq!(first_blind(&[(4, 5, 3, 5), (4, 5, 0, 3)], None), Some(4));
        assert_eq!(first_blind(&[(4, 5, 0, 3), (4, 5, 4, 5)], None), None);
        assert_eq!(first_blind(&[(4, 5, 3, 5)], Some(2)), Some(4));
    }
}
