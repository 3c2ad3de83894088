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

    /// Something that weights do not contain is not given.
    #[error("weights do not tell {what}")]
    Missing {
        /// What it is.
        what: String,
        /// The fields of a [`Description`](crate::Description), any of which would contain it; `like`
        /// stands for another model.
        fields: &'static [&'static str],
    },

    /// A description does not fit the layers.
    #[error("`{field}` {found}, expected {expected}")]
    Description {
        /// The field of the [`Description`](crate::Description).
        field: &'static str,
        /// What it has.
        found: String,
        /// What would fit.
        expected: String,
    },

    /// Only another model has the categories of embeddings.
    #[error("the network has vectors of categories")]
    Categories,

    /// What is described makes no preprocessing or no targets.
    #[error(transparent)]
    Table(#[from] kiln_table::TableError),

    /// A file cannot be opened.
    #[error(transparent)]
    Read(#[from] std::io::Error),

    /// A file cannot be read, or is no safetensors file.
    #[error(transparent)]
    Store(#[from] kiln_store::StoreError),

    /// A file of PyTorch cannot be read.
    #[error("{problem}")]
    Torch {
        /// What was found, and what was expected.
        problem: String,
    },
}

impl ImportError {
    /// A list of another length than the layers have inputs or outputs.
    pub(crate) fn names(field: &'static str, found: usize, expected: usize, of: &str) -> Self {
        Self::Description {
            field,
            found: format!("names {found}"),
            expected: format!("one for each of {expected} {of}"),
        }
    }

    pub(crate) fn torch(problem: String) -> Self {
        Self::Torch { problem }
    }
}
