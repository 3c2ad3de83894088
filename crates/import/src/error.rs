/// Why tensors are no multilayer perceptron that Kiln knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A group of tensors is no layer.
    #[error(
        "the tensors of `{layer}` are {found}, expected those of a linear layer (`weight` [outputs, inputs], or \
         Keras's `kernel` [inputs, outputs], and `bias`), of a batch normalization or of a layer normalization"
    )]
    Layer {
        /// What the names of its tensors begin with.
        layer: String,
        /// Names and shapes.
        found: String,
    },

    /// A tensor does not have the numbers that its layer needs.
    #[error("tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits the other tensors of the layer.
        expected: Vec<usize>,
    },

    /// A tensor of weights holds whole numbers.
    #[error("tensor `{tensor}` holds {found}, expected numbers of floating point")]
    Type {
        /// Its name.
        tensor: String,
        /// The type of its numbers.
        found: String,
    },

    /// No linear layer is there.
    #[error("there is no linear layer among the tensors, expected one at least")]
    NoLayer,

    /// Two layers that follow each other do not fit.
    #[error(
        "layer `{from}` gives {outputs} numbers, and `{to}`, the next by name, takes {inputs}: if this is not their \
         order, say it"
    )]
    Chain {
        /// The first of the two.
        from: String,
        /// Its outputs.
        outputs: usize,
        /// The second.
        to: String,
        /// Its inputs.
        inputs: usize,
    },

    /// A list of layers is not that of the file.
    #[error("the layers are said to be {found}, expected an order of {expected}")]
    Order {
        /// What was said.
        found: String,
        /// The linear layers that are there.
        expected: String,
    },

    /// Normalizations that Kiln's networks do not have.
    #[error("{found}, expected {expected}")]
    Normalization {
        /// What is there.
        found: String,
        /// What could be there.
        expected: String,
    },

    /// A file of PyTorch cannot be read.
    #[error("{problem}")]
    Torch {
        /// What was found, and what was expected.
        problem: String,
    },
}

impl ImportError {
    pub(crate) fn torch(problem: String) -> Self {
        Self::Torch { problem }
    }
}
