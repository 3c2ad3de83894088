//! Serves a [`Classifier`](kiln_classifier::Classifier) over HTTP.
//!
//! [`serve`] takes a [`Model`] and answers `POST /v1/predict` until it is told to stop. One thread runs
//! the network. It takes all rows that wait, of however many requests, in one batch, and never waits for
//! more: so a lone request is not delayed, and a crowd shares the work. Requests are read, and turned to
//! features, on the threads that their connections are on.
//!
//! ```no_run
//! use burn_flex::Flex;
//! use kiln_classifier::Classifier;
//! use kiln_serve::{Event, Limits, Model, ServeConfig, serve};
//!
//! let load = || {
//!     let classifier = Classifier::<Flex>::load("penguins.safetensors", &Default::default())?;
//!     Ok(Model::new("penguins", classifier))
//! };
//! let config = ServeConfig {
//!     listen: ([127, 0, 0, 1], 8080).into(),
//!     token: None,
//!     limits: Limits::default(),
//!     access_log: false,
//! };
//! serve(load()?, load, config, |event| {
//!     if let Event::Listening(address) = event {
//!         println!("listening on http://{address}");
//!     }
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod app;
mod budget;
mod config;
mod connections;
mod description;
mod error;
mod event;
mod image;
mod media;
mod metrics;
mod model;
mod openapi;
mod page;
mod predict;
mod predictor;
mod problem;
mod request;
mod routes;
mod served;
mod server;
mod signals;
mod token;

pub use config::{Limits, ServeConfig};
pub use error::ServeError;
pub use event::Event;
pub use model::Model;
pub use server::serve;
pub use token::{Token, TokenError};
