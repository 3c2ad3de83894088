//! The few instructions of a pickle that a `state_dict` consists of (CPython's `Lib/pickletools.py` documents all).

use std::{collections::BTreeMap, rc::Rc};

use safetensors::Dtype;

use crate::ImportError;

/// Of a tensor. No layer has as many.
const MAX_RANK: usize = 8;

/// A tensor as a view of a storage. Offsets and strides count numbers.
#[derive(Clone, Debug)]
pub(super) struct Strided {
    pub(super) storage: Storage,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Storage {
    /// The name of its file.
    pub(super) key: Rc<str>,
    pub(super) dtype: Dtype,
    /// Numbers.
    pub(super) len: u64,
}

impl Strided {
    pub(super) fn num_elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim))
    }
}

/// Values stand in a list and name each other by their place in it: nested ones, however deep, are dropped without
/// recursion. What instructions can copy again and again is small, or shared.
type Id = usize;

#[derive(Debug)]
enum Value {
    Mark,
    /// Of which nothing is needed.
    Other,
    Int(i64),
    Text(Rc<str>),
    Global(Global),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Storage),
    Tensor(Strided),
}

/// The classes and functions that are known, by what they make.
#[derive(Clone, Copy, Debug)]
enum Global {
    Dict,
    Tensor,
    Parameter,
    Storage(Dtype),
}

/// The tensors of a pickled dictionary that has nothing else.
pub(super) fn tensors(pickle: &[u8]) -> Result<BTreeMap<String, Strided>, ImportError> {
    let mut machine = Machine { bytes: pickle, ..Machine::default() };
    let root = loop {
        if let Some(root) = machine.step()? {
            break root;
        }
    };
    let Value::Dict(items) = &machine.values[root] else {
        return Err(unexpected("its value is no dictionary"));
    };
    let mut tensors = BTreeMap::new();
    for (key, value) in items {
        let Value::Text(name) = &machine.values[*key] else {
            return Err(unexpected("a key is no text"));
        };
        let Value::Tensor(tensor) = &machine.values[*value] else {
            return Err(unexpected(&format!("the entry `{name}` is no tensor")));
        };
        tensors.insert(name.to_string(), tensor.clone());
    }
    Ok(tensors)
}

#[derive(Default)]
struct Machine<'a> {
    /// What is not yet read.
    bytes: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs one instruction; the value of the whole at the last.
    fn step(&mut self) -> Result<Option<Id>, ImportError> {
        let [code] = self.take()?;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => {
                self.take::<1>()?; // protocol
            }
            0x95 => {
                self.take::<8>()?; // frame
            }
            b'(' => self.push(Value::Mark),
            b'N' | 0x88 | 0x89 => self.push(Value::Other), // None, True, False
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Other);
            }
            b'J' => {
                let int = i32::from_le_bytes(self.take()?);
                self.push(Value::Int(int.into()));
            }
            b'K' => {
                let [int] = self.take()?;
                self.push(Value::Int(int.into()));
            }
            b'M' => {
                let int = u16::from_le_bytes(self.take()?);
                self.push(Value::Int(int.into()));
            }
            0x8a => self.long()?,
            b'X' => {
                let len = u32::from_le_bytes(self.take()?);
                self.text(len as usize)?;
            }
            0x8c => {
                let [len] = self.take()?;
                self.text(len.into())?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            // Lists, of which nothing is needed: a new one, one more item, more items.
            b']' => self.push(Value::Other),
            b'a' => {
                self.pop()?;
            }
            b'e' => {
                self.pop_to_mark()?;
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let Some(start) = self.stack.len().checked_sub(count) else {
                    return Err(damaged());
                };
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            // The attributes of an object, such as the `_metadata` of a state_dict.
            b'b' => {
                self.pop()?;
            }
            b'q' => {
                let [at] = self.take()?;
                self.put(at.into())?;
            }
            b'r' => {
                let at = u32::from_le_bytes(self.take()?);
                self.put(at)?;
            }
            0x94 => {
                let next = u32::try_from(self.memo.len()).map_err(|_| damaged())?;
                self.put(next)?;
            }
            b'h' => {
                let [at] = self.take()?;
                self.get(at.into())?;
            }
            b'j' => {
                let at = u32::from_le_bytes(self.take()?);
                self.get(at)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(global(module, name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (&self.values[module], &self.values[name])
                else {
                    return Err(damaged());
                };
                let global = global(module, name)?;
                self.push(Value::Global(global));
            }
            b'Q' => {
                let storage = self.storage()?;
                self.push(Value::Storage(storage));
            }
            b'R' => {
                let (args, function) = (self.pop()?, self.pop()?);
                let made = self.call(function, args)?;
                self.push(made);
            }
            other => {
                return Err(unexpected(&format!("its pickle has the instruction {other:#04x}")));
            }
        }
        Ok(None)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn text(&mut self, len: usize) -> Result<(), ImportError> {
        let (text, rest) = self.bytes.split_at_checked(len).ok_or_else(damaged)?;
        self.bytes = rest;
        let text = str::from_utf8(text).map_err(|_| damaged())?;
        self.push(Value::Text(text.into()));
        Ok(())
    }

    /// An integer in as many bytes as it needs.
    fn long(&mut self) -> Result<(), ImportError> {
        let [len] = self.take()?;
        let (digits, rest) = self.bytes.split_at_checked(len.into()).ok_or_else(damaged)?;
        self.bytes = rest;
        let negative = digits.last().is_some_and(|last| *last >= 0x80);
        let mut int = [if negative { 0xff } else { 0 }; 8];
        int.get_mut(..digits.len()).ok_or_else(damaged)?.copy_from_slice(digits);
        self.push(Value::Int(i64::from_le_bytes(int)));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str, ImportError> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let (line, rest) = self.bytes.split_at(end);
        self.bytes = &rest[1..];
        str::from_utf8(line).map_err(|_| damaged())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, ImportError> {
        self.stack.pop().ok_or_else(damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, ImportError> {
        let is_mark = |id: &Id| matches!(self.values[*id], Value::Mark);
        let mark = self.stack.iter().rposition(is_mark).ok_or_else(damaged)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn put(&mut self, at: u32) -> Result<(), ImportError> {
        let top = *self.stack.last().ok_or_else(damaged)?;
        self.memo.insert(at, top);
        Ok(())
    }

    fn get(&mut self, at: u32) -> Result<(), ImportError> {
        self.stack.push(*self.memo.get(&at).ok_or_else(damaged)?);
        Ok(())
    }

    /// Adds keys and values in turn to the dictionary that is on top.
    fn set_items(&mut self, items: &[Id]) -> Result<(), ImportError> {
        let top = *self.stack.last().ok_or_else(damaged)?;
        let Value::Dict(dict) = &mut self.values[top] else { return Err(damaged()) };
        let (pairs, []) = items.as_chunks() else { return Err(damaged()) };
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    /// `("storage", torch.FloatStorage, "0", "cpu", 12)`
    fn storage(&mut self) -> Result<Storage, ImportError> {
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.values[id] else { return Err(damaged()) };
        let [_, class, key, _, len] = parts[..] else { return Err(damaged()) };
        let (Value::Global(Global::Storage(dtype)), Value::Text(key)) =
            (&self.values[class], &self.values[key])
        else {
            return Err(damaged());
        };
        Ok(Storage { key: key.clone(), dtype: *dtype, len: self.count(len)? })
    }

    fn call(&self, function: Id, args: Id) -> Result<Value, ImportError> {
        let (Value::Global(function), Value::Tuple(args)) =
            (&self.values[function], &self.values[args])
        else {
            return Err(damaged());
        };
        match (function, args.as_slice()) {
            (Global::Dict, []) => Ok(Value::Dict(Vec::new())),
            (Global::Tensor, [storage, offset, shape, strides, ..]) => {
                let Value::Storage(storage) = &self.values[*storage] else {
                    return Err(damaged());
                };
                let (shape, strides) = (self.counts(*shape)?, self.counts(*strides)?);
                if shape.len() != strides.len() {
                    return Err(damaged());
                }
                let (storage, offset) = (storage.clone(), self.count(*offset)?);
                Ok(Value::Tensor(Strided { storage, offset, shape, strides }))
            }
            (Global::Parameter, [data, ..]) => match &self.values[*data] {
                Value::Tensor(tensor) => Ok(Value::Tensor(tensor.clone())),
                _ => Err(damaged()),
            },
            _ => Err(damaged()),
        }
    }

    fn count(&self, id: Id) -> Result<u64, ImportError> {
        let Value::Int(int) = self.values[id] else { return Err(damaged()) };
        u64::try_from(int).map_err(|_| damaged())
    }

    fn counts(&self, id: Id) -> Result<Vec<u64>, ImportError> {
        let Value::Tuple(ids) = &self.values[id] else { return Err(damaged()) };
        if ids.len() > MAX_RANK {
            return Err(unexpected(&format!("it has a tensor of {} dimensions", ids.len())));
        }
        ids.iter().map(|id| self.count(*id)).collect()
    }
}

fn global(module: &str, name: &str) -> Result<Global, ImportError> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::Dict,
        ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor,
        ("torch._utils", "_rebuild_parameter") => Global::Parameter,
        ("torch", "BFloat16Storage") => Global::Storage(Dtype::BF16),
        ("torch", "HalfStorage") => Global::Storage(Dtype::F16),
        ("torch", "FloatStorage") => Global::Storage(Dtype::F32),
        ("torch", "DoubleStorage") => Global::Storage(Dtype::F64),
        ("torch", "LongStorage") => Global::Storage(Dtype::I64),
        ("torch", "IntStorage") => Global::Storage(Dtype::I32),
        ("torch", "ByteStorage") => Global::Storage(Dtype::U8),
        _ => {
            let [module, name] =
                [module, name].map(|text| text.chars().take(60).collect::<String>());
            return Err(unexpected(&format!("it holds a `{module}.{name}`")));
        }
    })
}

fn damaged() -> ImportError {
    ImportError::torch("its pickle is damaged".to_owned())
}

fn unexpected(found: &str) -> ImportError {
    ImportError::torch(format!(
        "{found}, expected a dictionary of tensors: `torch.save(model.state_dict(), FILE)` writes one"
    ))
}
