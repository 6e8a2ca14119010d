//! Training's embedding bag: weighted sums of the rows of each text, and the gradient of the weights.
//!
//! The frozen embeddings are read where they lie, memory-mapped as a rule, and as they are stored; embeddings of several
//! models count as one wider matrix, which nobody ever builds. A text is summed by one thread in the order of its
//! tokens, and a dot product in an order that the width alone decides: the bits are the same whatever the number of
//! threads and the CPU.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::pieces::in_pieces;
use crate::segments::{Segments, same_length};

/// Bytes of rows that a thread reads before it takes the next texts: some tens of microseconds or more.
const PIECE: usize = 1 << 20;

/// How the numbers of a matrix are stored, in this machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// IEEE single precision.
    Float32,
    /// IEEE half precision.
    Float16,
    /// The upper half of a float32.
    BFloat16,
}

impl Storage {
    /// Every storage, for tests and listings.
    pub const ALL: [Self; 3] = [Self::Float32, Self::Float16, Self::BFloat16];

    /// `float32`, `float16` or `bfloat16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
        }
    }

    /// Bytes of a number.
    pub const fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 | Self::BFloat16 => 2,
        }
    }
}

/// The embeddings of one model: a row-major matrix, at any place in memory.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    storage: Storage,
    rows: usize,
    columns: usize,
    data: &'a [u8],
}

impl<'a> Part<'a> {
    /// A matrix of `rows` rows of `columns` numbers.
    ///
    /// # Errors
    /// `data` has not just the bytes of these, or there is no column.
    pub fn new(storage: Storage, rows: usize, columns: usize, data: &'a [u8]) -> Result<Self> {
        let expected = rows.checked_mul(columns).and_then(|count| count.checked_mul(storage.size()));
        if columns == 0 || expected != Some(data.len()) {
            return Err(Error::InvalidArgument(format!(
                "part: expected the bytes of {rows} rows of at least one {} each, found {columns} columns and {} bytes",
                storage.name(),
                data.len()
            )));
        }
        Ok(Self { storage, rows, columns, data })
    }
}

/// Matrices of the same number of rows side by side, as one that is as wide as all of them.
#[derive(Clone, Debug)]
pub struct EmbeddingBag<'a> {
    parts: Vec<Part<'a>>,
    rows: usize,
    columns: usize,
}

impl<'a> EmbeddingBag<'a> {
    /// The parts in the order of their columns.
    ///
    /// # Errors
    /// There is no part, or the parts differ in the number of rows.
    pub fn new(parts: Vec<Part<'a>>) -> Result<Self> {
        let Some(first) = parts.first() else {
            return Err(Error::InvalidArgument("parts: expected at least one, found none".into()));
        };
        let rows = first.rows;
        if let Some((index, part)) = parts.iter().enumerate().find(|(_, part)| part.rows != rows) {
            let found = part.rows;
            return Err(Error::InvalidArgument(format!("parts[{index}]: expected {rows} rows, found {found}")));
        }
        let columns = parts.iter().map(|part| part.columns).sum();
        Ok(Self { parts, rows, columns })
    }

    /// The number of rows, V.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns of all parts, D.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Writes for each text the sum of its tokens' rows, each times its weight, into a row of `sums` [B, D].
    ///
    /// The texts lie end to end in `ids` [T], with a weight for each token; `offsets` [B] says where each begins. A
    /// text without tokens has zeros. `threads` of `None` is one for each core.
    ///
    /// # Errors
    /// An id is not a row, the offsets do not cut `ids` into texts, a slice has another length than it should, or
    /// `threads` is 0. Or `WLDETECT_KERNEL` names a level that this CPU does not have.
    pub fn forward(
        &self,
        ids: &[i32],
        offsets: &[i32],
        weights: &[f32],
        threads: Option<usize>,
        sums: &mut [f32],
    ) -> Result<()> {
        self.forward_with(Kernel::chosen()?, ids, offsets, weights, threads, sums)
    }

    /// [`Self::forward`] with a kernel other than the one chosen for the process. The sums are the same to the bit.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_with(
        &self,
        kernel: Kernel,
        ids: &[i32],
        offsets: &[i32],
        weights: &[f32],
        threads: Option<usize>,
        sums: &mut [f32],
    ) -> Result<()> {
        let texts = Segments::new("ids", ids, offsets, self.rows)?;
        same_length("weights", ids.len(), weights.len())?;
        same_length("sums", texts.len() * self.columns, sums.len())?;
        let pieces = self.cut(texts, sums, self.columns, |texts, _| texts.len());
        over(pieces, threads, |piece, sums| {
            for (text, mut sums) in piece.zip(sums.chunks_exact_mut(self.columns)) {
                let tokens = texts.range(text);
                let (ids, weights) = (&ids[tokens.clone()], &weights[tokens]);
                for part in &self.parts {
                    let sums = sums.split_off_mut(..part.columns).expect("sums as wide as all parts");
                    sums.fill(0.0);
                    kernel.add_rows(part.storage, part.data, part.columns, ids, weights, sums);
                }
            }
        })
    }

    /// Writes for each token the dot product of its row with its text's row of `gradient` [B, D] into `dots` [T]. Where
    /// `gradient` is that of the sums, this is that of the weights.
    ///
    /// `ids`, `offsets` and `threads` are those of [`Self::forward`].
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn backward(
        &self,
        ids: &[i32],
        offsets: &[i32],
        gradient: &[f32],
        threads: Option<usize>,
        dots: &mut [f32],
    ) -> Result<()> {
        self.backward_with(Kernel::chosen()?, ids, offsets, gradient, threads, dots)
    }

    /// [`Self::backward`] with a kernel other than the one chosen for the process. The products are the same to the
    /// bit.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn backward_with(
        &self,
        kernel: Kernel,
        ids: &[i32],
        offsets: &[i32],
        gradient: &[f32],
        threads: Option<usize>,
        dots: &mut [f32],
    ) -> Result<()> {
        let texts = Segments::new("ids", ids, offsets, self.rows)?;
        same_length("gradient", texts.len() * self.columns, gradient.len())?;
        same_length("dots", ids.len(), dots.len())?;
        let pieces = self.cut(texts, dots, 1, |_, tokens| tokens);
        over(pieces, threads, |piece, mut dots| {
            for text in piece {
                let tokens = texts.range(text);
                let dots = dots.split_off_mut(..tokens.len()).expect("a place for each token");
                dots.fill(0.0);
                let mut gradient = &gradient[text * self.columns..][..self.columns];
                for part in &self.parts {
                    let vector = gradient.split_off(..part.columns).expect("a gradient as wide as all parts");
                    kernel.dot_rows(part.storage, part.data, part.columns, &ids[tokens.clone()], vector, dots);
                }
            }
        })
    }

    /// Consecutive texts in pieces of about as many bytes of rows, each with its part of `output`: `width` times the
    /// places that `count` gives for the texts and the number of their tokens.
    fn cut<'o, T>(
        &self,
        texts: Segments<'_>,
        mut output: &'o mut [T],
        width: usize,
        count: impl Fn(&Range<usize>, usize) -> usize,
    ) -> Vec<(Range<usize>, &'o mut [T])> {
        let row: usize = self.parts.iter().map(|part| part.columns * part.storage.size()).sum();
        let mut pieces = Vec::new();
        let (mut start, mut tokens) = (0, 0);
        for text in 0..texts.len() {
            tokens += texts.of(text).len();
            // Writing a text's sums costs about what reading a row does.
            if (tokens + text + 1 - start) * row >= PIECE || text + 1 == texts.len() {
                let piece = start..text + 1;
                let places = width * count(&piece, tokens);
                pieces.push((piece, output.split_off_mut(..places).expect("a place for everything")));
                (start, tokens) = (text + 1, 0);
            }
        }
        pieces
    }
}

/// Calls `each` with the texts and the output of every piece, over threads.
fn over<T: Send>(
    pieces: Vec<(Range<usize>, &mut [T])>,
    threads: Option<usize>,
    each: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Result<()> {
    let lend = |use_it: &mut dyn FnMut(&mut ())| use_it(&mut ());
    in_pieces(pieces, threads, &mut || false, lend, |(), (texts, output), _| {
        each(texts, output);
        Ok(())
    })
}
