//! Added tokens: strings that become one id wherever they stand in the raw text, before it is normalized.
//!
//! The library finds them leftmost first and, of those that start at one place, longest first, on the whole text.
//! Going through the text from the left and asking at each place for the longest match that starts there, resuming
//! behind it, is the same thing, and needs no more of the text than has been encoded.

use std::collections::BTreeMap;

use super::definition::NO_ID;
use super::format::{Reader, Refusal, Section, Writer};

/// A node of the trie: where its children begin in the list of nodes, how many there are (their bytes ascend), the id
/// of the token that ends here or [`NO_ID`], and the byte that leads here.
type Node = [u32; 4];

pub(super) struct Added<'a> {
    /// The root comes first.
    nodes: &'a [Node],
    /// Bit `c % 4096` is set for the first character `c` of each token: almost no place in a text needs a search.
    starts: &'a [u64; 64],
}

impl<'a> Added<'a> {
    /// `tokens` are distinct and none is empty.
    pub(super) fn write(tokens: &[(&str, u32)], writer: &mut Writer) -> Result<(), Refusal> {
        let mut starts = [0_u64; 64];
        for first in tokens.iter().filter_map(|(content, _)| content.chars().next()) {
            let (word, bit) = place(first as u32);
            starts[word] |= bit;
        }
        writer.section(Section::AddedTrie, &trie(tokens)?);
        writer.section(Section::AddedStarts, &starts);
        Ok(())
    }

    pub(super) fn read(reader: &Reader<'a>) -> Result<Self, Refusal> {
        let nodes: &[Node] = reader.section(Section::AddedTrie)?;
        let starts: &[u64] = reader.section(Section::AddedStarts)?;
        let starts = starts.try_into().map_err(|_| "added tokens: wrong size".to_owned())?;
        let inside = |node: &Node| (node[0] as usize).saturating_add(node[1] as usize) <= nodes.len();
        if nodes.is_empty() || !nodes.iter().all(inside) {
            return Err("added tokens: a node leads outside".to_owned());
        }
        Ok(Self { nodes, starts })
    }

    /// Whether a token may begin with the character `first`.
    #[inline(always)]
    pub(super) fn may_start(&self, first: u32) -> bool {
        let (word, bit) = place(first);
        self.starts[word] & bit != 0
    }

    /// Length in bytes and id of the longest token that `text` begins with.
    #[inline(never)]
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        let mut node = self.nodes[0];
        let mut found = None;
        for (length, &byte) in (1..).zip(text) {
            let children = &self.nodes[node[0] as usize..][..node[1] as usize];
            let Ok(child) = children.binary_search_by_key(&u32::from(byte), |child| child[3]) else { break };
            node = children[child];
            // Tokens end where characters do, whatever a file says.
            if node[2] != NO_ID && text.get(length).is_none_or(|next| next & 0xC0 != 0x80) {
                found = Some((length, node[2]));
            }
        }
        found
    }
}

/// Nodes breadth first, so that the children of one lie side by side.
fn trie(tokens: &[(&str, u32)]) -> Result<Vec<Node>, Refusal> {
    let mut nodes: Vec<Node> = vec![[0, 0, NO_ID, 0]];
    let mut sorted: Vec<(&[u8], u32)> = tokens.iter().map(|(content, id)| (content.as_bytes(), *id)).collect();
    sorted.sort_unstable();
    // Of each node: the tokens below it, and how many of their bytes led to it.
    let mut pending = std::collections::VecDeque::from([(0, sorted, 0)]);
    while let Some((at, tokens, depth)) = pending.pop_front() {
        let mut below: BTreeMap<u8, Vec<(&[u8], u32)>> = BTreeMap::new();
        for (content, id) in tokens {
            match content.get(depth) {
                Some(&byte) => below.entry(byte).or_default().push((content, id)),
                None => nodes[at][2] = id,
            }
        }
        nodes[at][0] = u32::try_from(nodes.len()).map_err(|_| "added_tokens: too much text".to_owned())?;
        nodes[at][1] = below.len() as u32;
        for (byte, tokens) in below {
            pending.push_back((nodes.len(), tokens, depth + 1));
            nodes.push([0, 0, NO_ID, u32::from(byte)]);
        }
    }
    Ok(nodes)
}

#[inline(always)]
fn place(first: u32) -> (usize, u64) {
    let low = first as usize % 4096;
    (low / 64, 1 << (low % 64))
}
